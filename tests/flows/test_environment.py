"""In-process servers of dead commands are ended, and nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from flows import environment
from tasks.storage import Owner

_DEAD = 999_999_999


@pytest.fixture
def servers():
    """Processes that look like Prefect's in-process server, by whose they are."""
    here = Owner.here()
    owners = {
        "dead": here._replace(pid=_DEAD),
        "number given again": here._replace(start=here.start - 1),
        "live": here,
        "of another PID namespace": here._replace(pid=_DEAD, namespace="1"),
        "of another machine with this name": here._replace(pid=_DEAD, boot="1"),
        "of another host": here._replace(pid=_DEAD, host="other"),
        "of another user": here._replace(pid=_DEAD, user=here.user + 1),
        "of an earlier version": f"{_DEAD}@{here.host}",
    }
    running = {
        name: subprocess.Popen(
            [sys.executable, "-S", "-c", "input()", "prefect.server"],
            env=os.environ | {environment._OWNER: str(owner)},
            stdin=subprocess.PIPE,
        )
        for name, owner in owners.items()
    }
    yield running
    for process in running.values():
        process.communicate(b"\n")


def test_only_servers_of_dead_commands_near_by_are_ended(servers):
    environment.end_orphans()
    for name in ("dead", "number given again"):
        assert servers[name].wait(30) == -15
    assert [name for name, process in servers.items() if process.poll() is not None] == ["dead", "number given again"]


def test_a_command_says_whose_its_servers_are():
    assert Owner.parse(os.environ[environment._OWNER]) == Owner.here()
