"""Results are put in place whole; hidden copies of writers that are dead are deleted, those of others never."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.storage import DEAD, place_files

PROGRAM = """
import os, shutil, signal, sys
from pathlib import Path
from tasks.storage import place_files

def copy(source, target):
    Path(target).write_text("half of it")
    print("copying", flush=True)
    exec(sys.argv[2])
    Path(target).write_text("all of it")

shutil.copyfile = copy
place_files({"models/a.h5": Path(__file__ if "__file__" in globals() else sys.executable)}, {"b.txt": "text"}, sys.argv[1])
"""
ENDS = {
    "exit": "os._exit(143)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "terminate": "os.kill(os.getpid(), signal.SIGTERM)",
}


def writer(folder: Path, then: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), then], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def place(folder: Path) -> None:
    source = folder.parent / "source"
    source.write_text("mine")
    place_files({"models/c.h5": source}, {"d.txt": "text"}, str(folder))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("end", ENDS)
def test_copies_of_a_dead_writer_are_deleted_by_the_next(tmp_path, end):
    folder = tmp_path / "out"
    dead = writer(folder, ENDS[end])
    dead.communicate()
    assert dead.returncode
    assert len(names(folder)) == 3  # text, half a copy, and whose it is
    place(folder)
    assert names(folder) == ["b.txt", "d.txt", "models/c.h5"]


def test_copies_of_a_live_writer_stay(tmp_path):
    folder = tmp_path / "out"
    alive = writer(folder, "input()")
    assert alive.stdout.readline() == "copying\n"
    before = names(folder)
    place(folder)
    assert names(folder) == sorted([*before, "d.txt", "models/c.h5"])
    alive.communicate("\n")
    assert alive.returncode == 0
    assert names(folder) == ["b.txt", "d.txt", "models/a.h5", "models/c.h5"]
    assert (folder / "models" / "a.h5").read_text() == "all of it"


def test_copies_of_unknown_writers_are_deleted_after_a_day(tmp_path):
    folder = tmp_path / "out"
    (folder / "models").mkdir(parents=True)
    unknown = f".x.{'ab' * 16}.partial.h5"
    kept = [f"models/.y.{'cd' * 16}.partial", "models/.notes.partial", ".gitignore", f"other/{unknown}"]
    for name in (f"models/{unknown}", *kept):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
        if name != kept[0]:
            os.utime(folder / name, (0, time.time() - DEAD - 9))
    place(folder)
    assert names(folder) == sorted([*kept, "d.txt", "models/c.h5"])


@pytest.mark.parametrize("files", [{"a.h5": "absent"}, {"b.txt/a.h5": "source"}, {"models/a.h5": "."}])
def test_a_failure_leaves_nothing_hidden(tmp_path, files):
    (tmp_path / "source").write_text("x")
    with pytest.raises(OSError, match=r"."):
        place_files({name: tmp_path / source for name, source in files.items()}, {"b.txt": "text"}, str(tmp_path / "out"))
    assert [name for name in names(tmp_path / "out") if "/." in f"/{name}"] == []
