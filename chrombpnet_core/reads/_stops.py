"""Reasons why a compiled reader stops."""

from __future__ import annotations

__all__ = ["FULL", "MALFORMED", "MORE", "NEW_NAME"]

MORE, FULL, MALFORMED, NEW_NAME = 0, 1, 2, 3
"""Its data ended, its output is full, what it cannot judge, a chromosome that the table lacks."""
