"""One store for several users, and on a file system without locks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pytest

from chrombpnet_core.formats import written_whole
from tests.tasks.declaring import run_step

only_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can be other users")

_GROUP, _ONE, _OTHER = 54321, 54322, 54323


@pytest.fixture
def shared_store():
    """A folder of a group's, below one that everybody may enter."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o755)
    (folder / "store").mkdir()
    os.chown(folder / "store", 0, _GROUP)
    (folder / "store").chmod(0o2775)
    for user in (_ONE, _OTHER):
        (folder / f"cache-{user}").mkdir()
        os.chown(folder / f"cache-{user}", user, _GROUP)
    yield folder / "store"
    shutil.rmtree(folder)


def as_user(user: int, umask: int, work, *arguments) -> str:
    """Do something in a process of another user's; the traceback where it fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            try:
                os.setgroups([])
                os.setgid(_GROUP)
                os.setuid(user)
                os.umask(umask)
                store = arguments[0]
                os.environ["CHROMBPNET_CACHE"] = tempfile.tempdir = str(store.parent / f"cache-{user}")
                work(*arguments)
            except BaseException:
                os.write(writing, traceback.format_exc().encode()[-4000:])
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def _interrupted(store):
    def body(work):
        with written_whole(work.checkpoint / "state") as partial:
            partial.write_text("7")
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run_step(store, "train", 1, {}, {}, body)


def _train(store, cached):
    def body(work):
        (work.out / "sub").mkdir()
        (work.out / "sub" / "a.txt").write_text((work.checkpoint / "state").read_text())

    result = run_step(store, "train", 1, {}, {}, body)
    assert result.cached == cached
    assert result.file("sub/a.txt").read_text() == "7"


def _damage(store):
    for path in store.rglob("a.txt"):
        path.write_text("8")
    _interrupted(store)


@only_root
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_two_users_share_a_store(shared_store, umask):
    """Each goes on with the other's checkpoint, finds the other's result, and makes a damaged one again."""
    for user, work, *arguments in (
        (_ONE, _interrupted),
        (_OTHER, _train, False),
        (_ONE, _train, True),
        (_ONE, _damage),
        (_OTHER, _train, False),
        (_ONE, _train, True),
    ):
        assert as_user(user, umask, work, shared_store, *arguments) == ""
    modes = {path.relative_to(shared_store).as_posix(): path.stat().st_mode for path in shared_store.rglob("*")}
    assert {name: oct(mode) for name, mode in modes.items() if not mode & 0o020} == {}
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o002} == {}


@only_root
def test_a_store_that_may_only_be_read_is_read(shared_store):
    assert as_user(_ONE, 0o022, _interrupted, shared_store) == ""
    assert as_user(_ONE, 0o022, _train, shared_store, False) == ""
    for path in (shared_store, *shared_store.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o022)
    assert as_user(_OTHER, 0o022, _train, shared_store, True) == ""


SHIM = """
#include <errno.h>
int flock(int file, int operation) { errno = CODE; return -1; }
"""

WORK = """
import sys
from pathlib import Path
from tasks._attempt import alone, scratch_folder
from tasks.storage import Store
store = Store(sys.argv[1])
with alone(store, "slow", "key"), scratch_folder(store) as scratch:
    (scratch / "out").mkdir()
    (scratch / "out" / "a.txt").write_text(sys.argv[2])
    print("begun", flush=True)
    input()
    print(store.publish(scratch / "out", {"files": {}}, "manifest.json", "", "slow", "key")[1])
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no compiler")
@pytest.mark.parametrize("code", ["ENOSYS", "EOPNOTSUPP", "ENOLCK"])
def test_without_flock_two_processes_work_and_one_wins(tmp_path, code):
    (tmp_path / "shim.c").write_text(SHIM.replace("CODE", code))
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "shim.so", tmp_path / "shim.c"], check=True)
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, tmp_path / "store", name],
            env=os.environ | {"LD_PRELOAD": str(tmp_path / "shim.so")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    assert [process.stdout.readline() for process in both] == ["begun\n"] * 2  # neither waits for the other
    said = [process.communicate("\n", timeout=60) for process in both]
    assert sorted(out for out, _ in said) == ["False\n", "True\n"]
    assert all("file locks do not work there" in error for _, error in said)
    (place,) = [path for path in (tmp_path / "store" / "slow" / "key").iterdir() if path.is_dir()]
    assert (place / "a.txt").read_text() == ["one", "two"][[out for out, _ in said].index("True\n")]
