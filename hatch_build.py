"""Put igv.js into the wheel: the file that npm packs, if it is the one whose hash ``chrombpnet_core/report/igv.json`` names.

Without npm or the internet the wheel is built all the same, and pages of tracks take the same file from a public server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

REPORT = "chrombpnet_core/report"
FILES = {r"package/dist/igv\.min\.js": "igv.min.js", r"(?i)package/licen[cs]e[^/]*": "igv.LICENSE"}
PATIENCE = 120  # seconds


class CustomBuildHook(BuildHookInterface):
    """Hatchling calls it before each build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add igv.js to the files of a wheel; an editable installation has none.

        Parameters
        ----------
        version
            ``standard`` or ``editable``.
        build_data
            What the build is made of.
        """
        if version == "editable":
            return
        self._scratch = tempfile.mkdtemp()
        wanted = json.loads(Path(self.root, REPORT, "igv.json").read_text(encoding="utf-8"))
        try:
            packed = pack(wanted["version"], wanted["integrity"], Path(self._scratch))
        except (OSError, subprocess.SubprocessError, tarfile.TarError, LookupError, ValueError) as error:
            self.app.display_warning(f"igv.js is not in this wheel, pages of tracks will load it from the internet: {error}")
            return
        build_data["force_include"] |= {str(path): f"{REPORT}/{path.name}" for path in packed}

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was packed."""
        shutil.rmtree(getattr(self, "_scratch", ""), ignore_errors=True)


def pack(version: str, integrity: str, folder: Path) -> list[Path]:
    """Get igv.js and its licence from npm.

    Parameters
    ----------
    version
        Of the npm package ``igv``.
    integrity
        ``sha384-`` and the base64 of the hash that igv.js must have.
    folder
        Where they go.

    Returns
    -------
    list of Path
        The files.
    """
    command = ["npm", "pack", f"igv@{version}", "--ignore-scripts", "--silent"]
    ran = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True, timeout=PATIENCE
    )
    contents: dict[str, bytes] = {}
    with tarfile.open(folder / ran.stdout.split()[-1]) as archive:
        for member in archive.getmembers():
            for pattern, name in FILES.items():
                if re.fullmatch(pattern, member.name) and (file := archive.extractfile(member)):
                    contents[name] = file.read()
    script = contents["igv.min.js"]
    found = f"sha384-{base64.b64encode(hashlib.sha384(script).digest()).decode()}"
    if found != integrity:
        raise ValueError(f"igv {version} has the hash {found}, not {integrity}")
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]
