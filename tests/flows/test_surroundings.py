"""What a command finds around it: no home, one that takes nothing, odd letters, somebody else's Prefect server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from chrombpnet_core.concurrency import private_folder
from chrombpnet_core.errors import InputError
from flows import environment


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Set the environment, without this process's own, and do one part of what a command begins with."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(environment, "_configured", {})

    def begin(part, **variables: str) -> dict[str, str]:
        monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]} | variables)
        part()
        return os.environ

    return begin


def test_a_home_that_takes_nothing_is_told_once(here, tmp_path, caplog):
    """``/proc`` is written by nobody, root included."""
    found = here(environment._use_writable_folders, HOME="/proc/self")
    folder = tmp_path / f"chrombpnet-{os.getuid()}"
    assert found["CHROMBPNET_CACHE"] == str(folder / ".cache/chrombpnet")
    assert all(found[name].startswith(str(folder)) for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "PREFECT_HOME"))
    assert found["HOME"] == "/proc/self"  # credentials may be there
    (said,) = caplog.messages
    assert "the home folder /proc/self cannot be written" in said
    assert folder.stat().st_mode & 0o077 == 0


def test_what_the_user_has_named_stands(here, tmp_path, caplog):
    found = here(environment._use_writable_folders, HOME="/proc/self/none", CHROMBPNET_CACHE=str(tmp_path / "mine"))
    assert found["CHROMBPNET_CACHE"] == str(tmp_path / "mine")
    assert found["HOME"].startswith(str(tmp_path))  # there was none
    assert not caplog.messages


def test_a_home_in_order_is_left_alone(here, tmp_path, caplog):
    assert {*here(environment._use_writable_folders, HOME=str(tmp_path))} == {"PATH", "HOME"}
    assert not caplog.messages
    assert not [*tmp_path.iterdir()]


def test_no_folder_for_temporary_files_is_one_line(here, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc/self")
    with pytest.raises(InputError, match="set TMPDIR to a folder with space"):
        here(environment._use_writable_folders, HOME="/proc/self")


def test_runs_leave_the_users_server_alone(here, tmp_path, caplog):
    found = here(environment._choose_server, PREFECT_API_URL="http://127.0.0.1:9/dead", PREFECT_PROFILE="work")
    assert "PREFECT_API_URL" not in found
    assert found["PREFECT_PROFILE"] == "ephemeral"
    assert environment.configured_server() == "http://127.0.0.1:9/dead"
    assert not caplog.messages


def test_a_server_is_used_that_is_asked_for(here, caplog):
    found = here(environment._choose_server, CHROMBPNET_PREFECT_API_URL="http://user:secret@127.0.0.1:9/api")
    assert "PREFECT_API_URL" not in found
    (said,) = caplog.messages
    assert "no Prefect server answers" in said
    assert "secret" not in said
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api"
        assert here(environment._choose_server, CHROMBPNET_PREFECT_API_URL=url)["PREFECT_API_URL"] == url
    of_the_run = {"CHROMBPNET_PARENT": "1", "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    assert here(environment._choose_server, **of_the_run)["PREFECT_API_URL"] == "http://127.0.0.1:9/api"


def test_a_private_folder_is_nobody_elses(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert private_folder() == private_folder() == tmp_path / f"chrombpnet-{os.getuid()}"
    private_folder().rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"chrombpnet-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    other = private_folder()
    assert other != tmp_path / f"chrombpnet-{os.getuid()}"
    assert other.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    ],
)
def test_names_and_texts_are_utf8_in_every_locale(tmp_path, variables):
    folder = tmp_path / "größe"
    folder.mkdir()
    (folder / "sizes").write_text("chrä1\t1000\nchr2\t900\nchr3\t800\n", encoding="utf-8")
    command = [sys.executable, "-m", "flows.cli", "prep", "splits", "-c", folder / "sizes", "-tcr", "chrä1", "-vcr", "chr2"]
    run = subprocess.run(
        [*command, "-op", folder / "ü"], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert (folder / "ü.json").exists()


def test_an_argument_that_is_no_text_is_refused(tmp_path):
    command = [sys.executable, "-m", "flows.cli", "index", os.fsencode(tmp_path) + b"/\xff"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "not UTF-8; rename the file or folder" in run.stderr


def test_numba_finds_a_folder_where_it_has_none(tmp_path):
    """For those who use the core without our commands: a read-only installation, no home."""
    script = (
        "from numba.core import caching\n"
        "caching.UserWideCacheLocator.from_function = caching.InTreeCacheLocator.from_function = lambda *_: None\n"
        "import chrombpnet_core._numba, numba, memelite\nprint(numba.config.CACHE_DIR)"
    )
    variables = {"PATH": os.environ["PATH"], "HOME": "/proc/self", "TMPDIR": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(tmp_path / f"chrombpnet-{os.getuid()}" / "numba")


def test_colours_of_logos_that_there_are_not_end_a_command_before_it_begins(here):
    with pytest.raises(InputError, match=r"\$CHROMBPNET_LOGO_COLOURS; expected classic or okabe-ito, found 'red'"):
        here(environment.prepare, CHROMBPNET_LOGO_COLOURS="red")
