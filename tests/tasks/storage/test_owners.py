"""Who works at something, and whether that process lives: told by more than its number."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from tasks.storage import DEAD, SILENT, Owner, beating, is_owned


def test_an_owner_is_read_as_it_was_written():
    here = Owner.here()._replace(host="a host with words")
    assert Owner.parse(f"{here}\n") == here
    for text in ("", "host", "7@host", "host boot ns x y z", "\0" * 40):
        assert Owner.parse(text) is None


def test_a_process_near_by_is_known_exactly():
    here = Owner.here()
    assert here.is_near
    assert here.lives(silence=10 * DEAD, limit=SILENT)  # a machine that slept
    assert not here._replace(start=here.start - 1).lives(0, SILENT)  # its number was given again
    child = subprocess.Popen([sys.executable, "-c", "from tasks.storage import Owner; print(Owner.here()); input()"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    owner = Owner.parse(child.stdout.readline())
    assert (owner.pid, owner.host, owner.is_near) == (child.pid, here.host, True)
    assert owner.lives(DEAD, SILENT)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not owner.lives(0, SILENT)  # dead, though its parent has not heard of it yet
    child.communicate()
    assert not owner.lives(0, SILENT)


@pytest.mark.parametrize("change", [{"host": "other"}, {"boot": "other"}, {"namespace": "1"}])
def test_any_other_is_judged_by_its_signs_of_life(change):
    other = Owner.here()._replace(**change, pid=999_999_999)
    assert not other.is_near
    assert other.lives(SILENT - 1, SILENT)
    assert not other.lives(SILENT + 1, SILENT)


def test_a_file_tells_its_owner_and_is_touched(tmp_path, monkeypatch):
    from tasks.storage import owners

    monkeypatch.setattr(owners, "BEAT", 0.02)
    path = tmp_path / "folder" / ".owner"
    assert not is_owned(path, SILENT)
    path.parent.mkdir()
    assert is_owned(path, SILENT)  # just made: its owner's file comes next
    with beating(path):
        assert Owner.parse(path.read_text()) == Owner.here()
        os.utime(path, (1, 1))
        deadline = time.monotonic() + 90
        while path.stat().st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert time.time() - path.stat().st_mtime < 100


IN_A_NAMESPACE = """
import sys, time
from pathlib import Path
from tasks._attempt import scratch_folder
from tasks.storage import Owner, Store

with scratch_folder(Store(sys.argv[1])) as scratch:
    (scratch / "half.txt").write_text("do")
    Path(sys.argv[2]).write_text(str(Owner.here()))
    while not Path(sys.argv[3]).exists():
        time.sleep(0.02)
    print((scratch / "half.txt").read_text())
"""


def _may_unshare() -> bool:
    return shutil.which("unshare") is not None and subprocess.run(["unshare", "-Urpf", "true"], check=False).returncode == 0


@pytest.mark.skipif(not _may_unshare(), reason="no PID namespaces here")
@pytest.mark.parametrize("own_proc", [True, False])
def test_two_pid_namespaces_of_one_host_leave_each_others_scratch_alone(tmp_path, own_proc):
    store, unshare = tmp_path / "store", ["unshare", "-Urpf", *(["--mount-proc"] if own_proc else [])]
    running = []
    for name in ("one", "two"):
        command = [*unshare, sys.executable, "-c", IN_A_NAMESPACE, store, tmp_path / name, tmp_path / "go"]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        deadline = time.monotonic() + 120
        while not (tmp_path / name).exists():
            assert running[-1].poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    one, two = (Owner.parse((tmp_path / name).read_text()) for name in ("one", "two"))
    assert (one.host, one.boot) == (two.host, two.boot)
    assert one.namespace != two.namespace
    assert one.pid == two.pid  # what was taken for the same process
    assert len(list((store / "scratch").iterdir())) == 2
    (tmp_path / "go").touch()
    for process in running:
        assert process.communicate(timeout=120)[0] == "do\n"
    assert list((store / "scratch").iterdir()) == []
