"""Log lines: what a terminal could take for commands is escaped."""

from __future__ import annotations

import logging

from flows.environment import show_log


def test_control_characters_do_not_reach_the_terminal(capsys):
    logger = logging.getLogger("chrombpnet_core")
    before = logger.handlers, logger.propagate, logger.level
    try:
        show_log()
        logging.getLogger("chrombpnet_core.genome").warning("%s: é \t%s", "a\x1b[2J.bed", "\u202e\x9b1m\r")
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])
    assert capsys.readouterr().err.endswith("warning: a\\x1b[2J.bed: é \t\\u202e\\x9b1m\\r\n")
