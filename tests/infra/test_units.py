"""The systemd units: what each may do, whom it runs as, and the password without which the server does not start."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.infra.rendering import INFRA, environment, read_unit

UNITS = sorted((INFRA / "systemd").glob("*.service"))
SERVER, BRIDGE, WORKER = (INFRA / "systemd" / f"chrombpnet-{name}.service" for name in ("server", "bridge", "worker@"))
PASSWORD = "/etc/chrombpnet/password.env"
CONFINED = {
    "NoNewPrivileges": "true",
    "CapabilityBoundingSet": "",
    "PrivateTmp": "true",
    "ProtectSystem": "strict",
    "ProtectHome": "true",
    "ProtectProc": "invisible",
    "ProtectControlGroups": "true",
    "ProtectKernelModules": "true",
    "ProtectKernelTunables": "true",
    "RestrictSUIDSGID": "true",
    "RestrictNamespaces": "true",
    "StateDirectoryMode": "0700",
}
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_units_hold_no_secret_and_read_the_password_from_roots_file(file):
    unit = read_unit(file)
    assert unit["EnvironmentFile"][0] == PASSWORD, "without '-': it must be there"
    assert all(each.startswith("/etc/chrombpnet/") for each in unit["EnvironmentFile"])
    assert not re.search(r"(PASSWORD|AUTH_STRING|TOKEN|CONNECTION_URL)=", " ".join(unit["Environment"]))
    assert not re.search(r"AUTH_STRING|TOKEN|PASSWORD", " ".join(unit["ExecStart"])), "everybody sees the command line"
    assert unit["WantedBy"] == ["multi-user.target"]


def test_server_workers_and_bridge_are_different_users():
    users = [read_unit(file)["User"] for file in UNITS]
    declared = re.findall(r"^u (\S+) ", (INFRA / "systemd" / "chrombpnet.sysusers").read_text(), re.MULTILINE)
    assert sorted(users) == sorted([name] for name in declared)
    assert len(set(declared)) == 3
    folders = [read_unit(file)["StateDirectory"][0] for file in UNITS]
    assert len(set(folders)) == 3
    for file, folder in zip(UNITS, folders, strict=True):
        assert environment(file)["PREFECT_HOME"].startswith(f"/var/lib/{folder}")


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_units_are_confined(file):
    unit = read_unit(file)
    assert {name: unit.get(name) for name in CONFINED} == {name: [value] for name, value in CONFINED.items()}
    if file != WORKER:  # runs need the GPU's devices
        assert unit["PrivateDevices"] == ["true"]
        assert unit["SystemCallFilter"][0] == "@system-service"
    writable = [each.lstrip("-") for line in unit.get("ReadWritePaths", []) for each in line.split()]
    assert writable == (["/data/store", "/data/results", "/scratch/chrombpnet"] if file == WORKER else [])


def test_the_server_is_closed_to_pages_of_other_addresses():
    own = environment(SERVER)
    assert own["PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED"] == "true"
    assert "*" not in own["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"]
    (command,) = read_unit(SERVER)["ExecStart"]
    assert "--host 127.0.0.1" in command


@pytest.mark.parametrize(
    ("password", "starts"),
    [(None, False), ("", False), ("admin:", False), ("admin:short", False), ("admin:" + "a" * 18, True)],
)
def test_the_server_does_not_start_without_a_password(password, starts):
    (check,) = read_unit(SERVER)["ExecStartPre"]
    shell, flag, script = re.fullmatch(r"(\S+) (-c) '(.*)'", check).groups()
    own = {} if password is None else {"PREFECT_SERVER_API_AUTH_STRING": password}
    assert (subprocess.run([shell, flag, script.replace("$$", "$")], env=own, check=False).returncode == 0) is starts


def test_the_password_is_made_once_and_for_root_alone(tmp_path):
    def made(folder: str) -> str:
        subprocess.run([str(INFRA / "systemd" / "make-password"), str(tmp_path / folder)], check=True, capture_output=True)
        return (tmp_path / folder / "password.env").read_text()

    first = made("a")
    assert made("a") == first, "one that is there is kept"
    assert made("b") != first
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert [(each.name, stat.S_IMODE(each.stat().st_mode)) for each in (tmp_path / "a").iterdir()] == [
        ("password.env", 0o600)
    ]
    found = dict(line.split("=", 1) for line in first.splitlines())
    assert found.keys() == {"PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING"}
    (password,) = set(found.values())
    assert re.fullmatch(r"admin:[0-9a-f]{48}", password)


def _on_this_host(folder: Path) -> list[str]:
    """The units with stubs of what they start, and the database's unit."""
    stub = folder / "stub"
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    for file in UNITS:
        text = re.sub(r"/opt/chrombpnet/bin/\w+", str(stub), file.read_text())
        (folder / file.name.replace("@", "@gpu")).write_text(text)
    (folder / "postgresql.service").write_text(f"[Unit]\nDescription=stub\n[Service]\nExecStart={stub}\n")
    return [str(folder / file.name.replace("@", "@gpu")) for file in UNITS]


def _told(units: list[str], folder: Path) -> str:
    command = ["systemd-analyze", "verify", "--man=no", *units]
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )
    return "\n".join(line for line in run.stderr.splitlines() if str(folder) in line or "chrombpnet" in line)


@needs_systemd
def test_systemd_finds_no_fault_and_sees_faults(tmp_path):
    units = _on_this_host(tmp_path)
    assert _told(units, tmp_path) == ""
    broken = Path(units[0])
    broken.write_text(broken.read_text().replace("ProtectHome=true", "ProtectHome=treu"))
    assert "ProtectHome" in _told(units, tmp_path) or "protect home" in _told(units, tmp_path)


@needs_systemd
@pytest.mark.parametrize(("file", "most"), [(SERVER, 2.0), (BRIDGE, 2.0), (WORKER, 3.0)], ids=lambda each: str(each)[-20:])
def test_little_is_exposed(file, most):
    """Of 10, which is what a unit without any of this has."""
    command = ["systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={10 * most:.0f}", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in run.stderr:
        pytest.skip("systemd is older than 250")
    assert run.returncode == 0, run.stdout[-200:] + run.stderr


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_the_users_can_be_made(tmp_path):
    (tmp_path / "etc" / "sysusers.d").mkdir(parents=True)
    shutil.copy(INFRA / "systemd" / "chrombpnet.sysusers", tmp_path / "etc" / "sysusers.d" / "chrombpnet.conf")
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True, capture_output=True)
    made = [line.split(":") for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    assert {line[0]: line[6] for line in made} == {
        f"chrombpnet-{name}": "/usr/sbin/nologin" for name in ("server", "worker", "bridge")
    }
