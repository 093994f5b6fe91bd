"""The sections of ``gpu_suite.py``: each is a module whose ``measure(setup)`` writes lines of results."""
