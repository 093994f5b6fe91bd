"""The real commands where little is as usual: read-only installation, no home, other locale, full disk, dead server.

Mount namespaces stand for such machines, so that root, which may write anywhere else, meets them, too.
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from chrombpnet_core.models import Architecture, bpnet, save_model
from chrombpnet_core.simulation import TINY, simulate
from tests.flows.dataset.tiny_runs import command_of, write_spec

ROOT = Path(__file__).parents[2]
_ALLOWED = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0
pytestmark = pytest.mark.skipif(not _ALLOWED, reason="mount namespaces are not permitted")

_READ_ONLY = (
    "mount --make-rprivate /; for place in {places}; do mount --bind $place $place; mount -o remount,ro,bind $place; done"
)
_SMALL = "mount --make-rprivate /; mount -t tmpfs -o size={size} none {place}"
_DEAD = "http://127.0.0.1:9/api"


def _inside(mounts: str, command: list[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command, in a namespace with these mounts, with no other variables than a cron job would have."""
    inherited = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    script = f'set -e; {mounts}; cd "$FOLDER"; exec "$@"'
    return subprocess.run(
        ["unshare", "-m", "bash", "-c", script, "bash", *command],
        env=inherited | {"PYTHONPATH": str(ROOT), "FOLDER": str(folder)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def simulation(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("genome"), TINY, bgzip=True)


@pytest.fixture(scope="module")
def commands(simulation, tmp_path_factory):
    """Commands by name, given a folder for their outputs."""
    model = tmp_path_factory.mktemp("model") / "chrombpnet_nobias.h5"
    save_model(bpnet(Architecture(8, 3, 600, 200)), model)
    genome = ("-g", simulation.genome, "-c", simulation.sizes)

    def of(name: str, folder: Path) -> list[str]:
        store = ("--store", folder / "store")
        if name == "prep nonpeaks":
            folds = ("-p", simulation.peaks, "-fl", simulation.fold, "-il", 600, "-st", 200)
            return command_of("prep", "nonpeaks", *genome, *folds, "-o", folder / "out", *store)
        if name == "contribs_bw":
            regions = ("-r", simulation.peaks, "-op", folder / "out")
            return command_of("contribs_bw", "-m", model, *genome, *regions, "--device", "cpu", *store)
        spec = write_spec(simulation, folder)
        content = yaml.safe_load(spec.read_text())
        content["model"]["epochs"] = content["bias"]["epochs"] = 1
        spec.write_text(yaml.safe_dump(content))
        return command_of("run", spec, "--device", "cpu", *store)

    return of


def _read_only(*places: Path) -> str:
    return _READ_ONLY.format(places=" ".join(map(str, {ROOT, Path(sys.prefix), Path(sys.base_prefix), *places})))


ENVIRONMENTS = {
    "read-only installation, unwritable HOME": {"HOME": "{home}"},
    "read-only installation, no HOME": {},
    "other locale": {"HOME": "{folder}", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "dead PREFECT_API_URL": {"HOME": "{folder}", "PREFECT_API_URL": _DEAD},
    "tiny TMPDIR": {"HOME": "{folder}", "TMPDIR": "{small}"},
}


@pytest.mark.parametrize("command", ["prep nonpeaks", "contribs_bw", "run"])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_commands_work(commands, tmp_path, name, command):
    folder, home, small = (tmp_path / each for each in ("größe", "home", "small"))
    for each in (folder, home, small):
        each.mkdir()
    places = {"folder": str(folder), "home": str(home), "small": str(small)}
    variables = {key: value.format(**places) for key, value in ENVIRONMENTS[name].items()}
    mounts = _read_only(home, *([Path(pwd.getpwuid(os.getuid()).pw_dir)] if "HOME" not in variables else []))
    if name == "tiny TMPDIR":
        mounts = _SMALL.format(size="64k", place=small)
    run = _inside(mounts, commands(command, folder), folder, **variables)
    assert run.returncode == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.count("the home folder") == ("HOME" in name)


@pytest.mark.parametrize("size", ["8k", "60k", "300k", "1m", "4m"])
@pytest.mark.parametrize("command", ["prep nonpeaks", "contribs_bw", "run"])
def test_a_full_disk_is_one_line(commands, tmp_path, command, size):
    """Whichever step it is that finds no space: on the disk of the store and of the results."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command_line = [word.replace(f"{tmp_path}/store", f"{disk}/store") for word in commands(command, tmp_path)]
    check = f'set +e; "$@"; status=$?; find {disk} -name "*partial*" -o -path "*/scratch/*" -type f; exit $status'
    run = _inside(
        _SMALL.format(size=size, place=disk), ["bash", "-c", check, "bash", *command_line], tmp_path, HOME=str(tmp_path)
    )
    if run.returncode:
        assert run.returncode == 1
        assert "Traceback" not in run.stderr
        (line,) = [
            line for line in run.stderr.splitlines() if "the disk is full" in line and line.startswith("chrombpnet: ")
        ]
        assert re.search(rf"{disk}\S*: the disk is full: [\d.,]+ \wiB of [\d.,]+ \wiB are free", line)
        assert not [line for line in run.stdout.splitlines() if line.startswith(str(disk))]
    else:
        assert size not in ("8k", "60k")


def test_a_deployment_on_a_dead_server_is_one_line(commands, tmp_path):
    command = [*commands("run", tmp_path), "--fold-deployment", "fold/fold"]
    run = _inside("true", command, tmp_path, HOME=str(tmp_path), PREFECT_API_URL=_DEAD)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert f"chrombpnet: error: {_DEAD}: no Prefect server answers" in run.stderr
