"""The real command on a store without file locks, from two PID namespaces of one host name, and for two users."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chrombpnet_core.simulation import TINY, simulate
from flows.cli.main import main
from tasks.runs import verify_store
from tests.flows.dataset.tiny_runs import command_of
from tests.tasks.storage.test_shared_stores import SHIM, as_user, only_root, shared_store  # noqa: F401

_WAYS = {
    "no locks": [],
    "no locks, own PID namespaces": ["unshare", "-Urpf"],
    "no locks, own PID namespaces and /proc": ["unshare", "-Urpf", "--mount-proc"],
}


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    for parent in (folder, *folder.parents):  # other users read it
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    return simulate(folder / "genome", TINY)


@pytest.fixture(scope="module")
def shim(tmp_path_factory) -> Path:
    """A library in which flock answers as on Lustre or EFS."""
    if shutil.which("gcc") is None:
        pytest.skip("no compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM.replace("CODE", "ENOSYS"))
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", folder / "shim.so", folder / "shim.c"], check=True)
    return folder / "shim.so"


def _nonpeaks(simulation, folder: Path, store: Path) -> list[str]:
    flags = {
        "-g": simulation.genome,
        "-c": simulation.sizes,
        "-p": simulation.peaks,
        "-fl": simulation.fold,
        "-o": folder / "out",
        "-il": 600,
        "-st": 200,
        "--store": store,
    }
    return ["prep", "nonpeaks", *(str(word) for pair in flags.items() for word in pair)]


@pytest.mark.parametrize("way", _WAYS)
def test_two_commands_at_once_where_files_cannot_be_locked(simulation, shim, tmp_path, way):
    prefix = _WAYS[way]
    if prefix and subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("no PID namespaces here")
    store, running = tmp_path / "store", []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        environment = os.environ | {"LD_PRELOAD": str(shim), "CHROMBPNET_CACHE": str(tmp_path / name / "cache")}
        command = [*prefix, *command_of(*_nonpeaks(simulation, tmp_path / name, store))]
        running.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert all("Traceback" not in error for error in said)
    assert any("file locks do not work there" in error for error in said)
    assert (tmp_path / "one" / "out_negatives.bed").read_bytes() == (tmp_path / "two" / "out_negatives.bed").read_bytes()
    verified = verify_store(str(store))
    assert (verified.damages, verified.seen["steps"]) == ([], 1)
    assert list((store / "scratch").iterdir()) == []


@only_root
def test_two_users_run_the_command_on_one_store(simulation, shared_store, tmp_path):  # noqa: F811
    assert main(_nonpeaks(simulation, tmp_path, tmp_path / "store")) == 0  # all is imported that others may not read

    def run(store: Path) -> None:
        folder = Path(os.environ["CHROMBPNET_CACHE"])
        assert main(_nonpeaks(simulation, folder, store)) == 0

    for user in (54322, 54323, 54322):
        assert as_user(user, 0o022, run, shared_store) == ""
    one, other = (shared_store.parent / f"cache-{user}" / "out_negatives.bed" for user in (54322, 54323))
    assert one.read_bytes() == other.read_bytes()
    assert (one.stat().st_uid, other.stat().st_uid) == (54322, 54323)
    assert verify_store(str(shared_store)).seen["steps"] == 1
