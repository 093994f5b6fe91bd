"""Building blocks of the flows: storage, the step runner, and the steps that call the core and publish what it made.

A step fetches its inputs, calls :mod:`chrombpnet_core`, and leaves its outputs in a store under a key that follows from
them. Nothing here knows the flows.
"""
