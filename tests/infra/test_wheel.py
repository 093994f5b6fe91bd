"""The wheel: igv.js as npm packs it goes into it, if it is the file whose hash is known; without npm it is built as well."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import sys
import tarfile
import types

import pytest

from tests.infra.rendering import INFRA

ROOT = INFRA.parent
SCRIPT = b"var igv = 1"
KNOWN = f"sha384-{base64.b64encode(hashlib.sha384(SCRIPT).digest()).decode()}"


@pytest.fixture
def hook(tmp_path, monkeypatch):
    """The hook of a checkout whose igv.json names a small file; hatchling itself need not be here."""
    parts = ["hatchling", "builders", "hooks", "plugin", "interface"]
    for end in range(1, len(parts) + 1):
        module = types.ModuleType(".".join(parts[:end]))
        module.BuildHookInterface = object
        monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    checkout = tmp_path / "checkout"
    (checkout / module.REPORT).mkdir(parents=True)
    (checkout / module.REPORT / "igv.json").write_text(json.dumps({"version": "3.8.9", "integrity": KNOWN}))
    hook = module.CustomBuildHook()
    hook.root, hook.told = str(checkout), []
    hook.app = types.SimpleNamespace(display_warning=hook.told.append)
    return hook


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A program that packs files as npm does."""

    def make(files, status=0):
        folder = tmp_path / "bin"
        folder.mkdir()
        with tarfile.open(folder / "igv.tgz", "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        script = f'#!/bin/sh\necho "$@" >{folder}/asked\ncp {folder}/igv.tgz .\necho igv.tgz\nexit {status}\n'
        (folder / "npm").write_text(script)
        (folder / "npm").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    return make


def built(hook, version="standard"):
    data = {"force_include": {"a": "b"}}
    hook.initialize(version, data)
    contents = {}
    for path, place in data["force_include"].items():
        if path != "a":
            with open(path, "rb") as file:
                contents[place] = file.read()
    hook.finalize(version, data, "x.whl")
    return contents


def test_the_file_that_npm_packs_goes_into_the_wheel(hook, npm):
    folder = npm({"package/dist/igv.min.js": SCRIPT, "package/license.txt": b"MIT", "package/dist/igv.js": b"long"})
    assert built(hook) == {
        "chrombpnet_core/report/igv.min.js": SCRIPT,
        "chrombpnet_core/report/igv.LICENSE": b"MIT",
    }
    assert (folder / "asked").read_text().split()[:2] == ["pack", "igv@3.8.9"]
    assert hook.told == []


@pytest.mark.parametrize(
    ("files", "status", "why"),
    [
        ({"package/dist/igv.min.js": SCRIPT + b" "}, 0, "has the hash"),
        ({"package/dist/igv.js": SCRIPT}, 0, "igv.min.js"),
        ({"package/dist/igv.min.js": SCRIPT}, 1, "exit status 1"),
    ],
)
def test_another_file_does_not(hook, npm, files, status, why):
    npm(files, status)
    assert built(hook) == {}
    assert len(hook.told) == 1
    assert why in hook.told[0]


def test_without_npm_there_is_a_wheel(hook, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert built(hook) == {}
    assert "from the internet" in hook.told[0]


def test_an_editable_installation_asks_nobody(hook, npm):
    folder = npm({"package/dist/igv.min.js": SCRIPT})
    assert built(hook, "editable") == {}
    assert not (folder / "asked").exists()


def test_git_and_the_image_know_of_it():
    """igv.js is never committed; the hook is there where the image is built."""
    assert not list((ROOT / "chrombpnet_core").rglob("igv*.js"))
    assert "hatch_build.py" in (ROOT / "infra" / "Dockerfile").read_text()
    assert "!hatch_build.py" in (ROOT / "infra" / "Dockerfile.dockerignore").read_text().splitlines()
