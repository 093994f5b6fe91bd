"""The image file and its lock: linted, and no more and no less than what the project asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
LINUX = {
    "python_version": "3.11",
    "python_full_version": "3.11.17",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


def _pins(file: Path) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", file.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def _instructions() -> list[tuple[str, str]]:
    lines = [line for line in (INFRA / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]


def test_the_image_file_passes_hadolint():
    lint = subprocess.run(
        [str(Path(sys.executable).parent / "hadolint"), str(INFRA / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout


def test_the_linter_sees_faults(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN apt-get install tini\nENTRYPOINT tini\n")
    lint = subprocess.run(
        [str(Path(sys.executable).parent / "hadolint"), str(tmp_path / "Dockerfile")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode != 0
    assert {"DL3007", "DL3008", "DL3025"} <= set(re.findall(r"DL\d+", lint.stdout))


def test_what_the_linter_does_not_ask_for():
    told = _instructions()
    of = {name: [rest for each, rest in told if each == name] for name, _ in told}
    builds, runs = of["FROM"]
    assert builds == f"{runs} AS packages", "what builds stays behind"
    base = re.fullmatch(r"docker\.io/library/python:(\d+)\.(\d+)\.(\d+)-slim-\w+@sha256:[0-9a-f]{64}", runs)
    assert base, "a version and its digest, not a tag that moves"
    assert tuple(map(int, base.groups())) >= (3, 11, 17), "older ones have known holes"
    assert f"{base[1]}.{base[2]}.{base[3]}" == LINUX["python_full_version"]
    assert "ADD" not in of
    assert of["USER"][-1].split(":")[0].isdecimal(), "Kubernetes tells by the number that it is not root"
    assert of["USER"][-1] != "0:0"
    names = [name for name, _ in told]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert all(rest.startswith("[") for name, rest in told if name in ("ENTRYPOINT", "CMD")), "no shell between"
    installs = [rest for rest in of["RUN"] if " install" in rest.replace('", "', " ") or "sync" in rest]
    downloads = [rest for rest in installs if "--no-deps" not in rest and "apt-get" not in rest]
    assert len(downloads) == 2
    assert all("--require-hashes" in rest for rest in downloads)


def test_only_what_is_named_gets_into_the_image():
    lines = [line for line in (INFRA / "Dockerfile.dockerignore").read_text().splitlines() if line and line[0] != "#"]
    copied = [
        word for name, rest in _instructions() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    ]
    assert lines[0] == "**"
    assert {line[1:] for line in lines if line.startswith("!")} == {word.split("/")[0] for word in copied}
    assert all((ROOT / word).exists() for word in copied)


@pytest.mark.parametrize(("lock", "least"), [("image.lock", 150), ("uv.lock", 1)])
def test_every_package_of_the_lock_has_a_hash(lock, least):
    entries = re.split(r"\n(?=[A-Za-z0-9])", (INFRA / lock).read_text())
    assert len(entries) >= least
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_lock_of_uv_is_of_the_version_that_make_locks():
    (version,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert _pins(INFRA / "uv.lock") == {"uv": version}


def _image_base(tmp_path: Path, answer: str, *arguments: str) -> tuple[int, list[str]]:
    """What ``make image-base`` makes of the image file where the registry answers so."""
    (tmp_path / "infra").mkdir(exist_ok=True)
    (tmp_path / "bin").mkdir(exist_ok=True)
    for name in ("Makefile", "infra/Dockerfile"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >>asked\n{answer}\n')
    docker.chmod(0o755)
    path = f"{docker.parent}:/usr/local/bin:/usr/bin:/bin"
    run = subprocess.run(
        ["make", "image-base", *arguments], cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, check=False
    )
    return run.returncode, re.findall(r"^FROM (\S+)", (tmp_path / "infra" / "Dockerfile").read_text(), re.MULTILINE)


def test_the_base_is_pinned_to_what_the_registry_has(tmp_path):
    digest = "sha256:" + "ab" * 32
    assert _image_base(tmp_path, f"echo {digest}") == (0, [f"docker.io/library/python:3.11.17-slim-bookworm@{digest}"] * 2)
    assert "docker.io/library/python:3.11.17-slim-bookworm " in (tmp_path / "asked").read_text()
    newer = f"docker.io/library/python:3.11.18-slim-bookworm@{digest}"
    assert _image_base(tmp_path, f"echo {digest}", "BASE=3.11.18-slim-bookworm") == (0, [newer] * 2)


@pytest.mark.parametrize("answer", ["exit 1", "echo", "echo sha256:12", "echo no such manifest"])
def test_without_a_digest_the_base_stays(answer, tmp_path):
    status, bases = _image_base(tmp_path, answer)
    assert status != 0
    assert bases == re.findall(r"^FROM (\S+)", (INFRA / "Dockerfile").read_text(), re.MULTILINE)


def _asked() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for name in ("gpu", "jax", "s3") for each in project["optional-dependencies"][name]]
    own = [line for line in (INFRA / "image.in").read_text().splitlines() if line and not line.startswith("#")]
    found = [Requirement(each) for each in [*project["dependencies"], *extras, *own]]
    return [each for each in found if each.marker is None or each.marker.evaluate(LINUX)]


def test_the_lock_holds_all_that_the_project_asks_for():
    pins = _pins(INFRA / "image.lock")
    missing = [str(each) for each in _asked() if canonicalize_name(each.name) not in pins]
    assert missing == [], "run 'make lock'"
    outdated = [str(each) for each in _asked() if not each.specifier.contains(pins[canonicalize_name(each.name)])]
    assert outdated == [], "run 'make lock'"


def test_the_image_has_the_versions_that_were_tested():
    locked, tested = _pins(INFRA / "image.lock"), _pins(ROOT / "constraints.txt")
    assert {
        name: (locked[name], tested[name]) for name in locked.keys() & tested.keys() if locked[name] != tested[name]
    } == {}, "run 'make lock'"


@pytest.mark.parametrize("needed", ["nvidia-cudnn-cu12", "jax-cuda12-plugin", "tensorflow", "prefect-kubernetes", "asyncpg"])
def test_both_backends_and_the_workers_are_inside(needed):
    assert needed in _pins(INFRA / "image.lock")
