"""Flows, which put steps together, and the ``chrombpnet`` command line that starts them.

Data sets, ENCODE updates, variants; what a Prefect server holds for them in production is in :mod:`flows.deployment`.
"""
