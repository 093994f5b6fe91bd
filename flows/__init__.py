"""Compositions of tasks, and the ``chrombpnet`` command line that starts them."""
