"""A function in a process of its own: its outcome, its log lines, its errors, its end from outside."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from chrombpnet_core.concurrency import in_own_process
from chrombpnet_core.errors import InputError


def add(one, other):
    logging.getLogger("chrombpnet_core.sums").info("adding %d", one)
    return one + other, os.getpid()


def refuse(what):
    raise InputError(what, expected="something else")


def fail():
    return {}["absent"]


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def test_outcome_and_log_lines_come_back(caplog):
    with caplog.at_level(logging.INFO, "chrombpnet_core"):
        total, process = in_own_process(add, 2, 3, what="sum")
    assert total == 5
    assert process != os.getpid()
    assert [(record.name, record.getMessage()) for record in caplog.records] == [("chrombpnet_core.sums", "adding 2")]


def test_a_refusal_stays_one(caplog):
    with pytest.raises(InputError, match=r"^a thing; expected something else$"):
        in_own_process(refuse, "a thing", what="sum")


def test_a_fault_is_seen(capfd):
    with pytest.raises(RuntimeError, match="KeyError: 'absent'"):
        in_own_process(fail, what="sum")
    assert "Traceback" in capfd.readouterr().err


def test_a_process_that_is_killed_is_told():
    with pytest.raises(InputError, match=r"sum was ended from outside \(exit code -9\); was memory short"):
        in_own_process(die, what="sum")
