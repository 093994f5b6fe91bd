"""The models of a published bundle: where their tar is, and the step that unpacks it."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import require_file
from tasks.reports import BUNDLE_MANIFEST
from tasks.runner import At, Source, Step, Work
from tasks.storage import Store, checksums, redact

__all__ = ["BUNDLE_MODELS", "BundleInputs", "BundleParameters", "tar_of_models"]

_NOBIAS = re.compile(r"(?P<fold>[^/]+)/model\.chrombpnet_nobias\.[^/]*\.h5")


@dataclass(frozen=True, kw_only=True)
class BundleInputs(Generic[At]):
    """The tar of models."""

    tar: At


@dataclass(frozen=True)
class BundleParameters:
    """None."""


def _unpack(work: Work[BundleInputs[Path], BundleParameters]) -> None:
    """Write the bias-free model of each fold as ``<fold>.h5``."""
    try:
        with tarfile.open(work.inputs.tar) as tar:
            for member in tar:
                match, content = _NOBIAS.fullmatch(member.name), tar.extractfile(member)
                if match and content is not None:
                    (work.out / f"{match['fold']}.h5").write_bytes(content.read())
    except tarfile.TarError as error:
        raise InputError(f"{work.inputs.tar}: not a tar of models", found=str(error)) from error
    if not any(work.out.iterdir()):
        raise InputError(
            f"{work.inputs.tar}: no bias-free model in it", expected="members fold_0/model.chrombpnet_nobias.….h5, …"
        )


BUNDLE_MODELS = Step(
    name="bundle_models",
    version=1,
    title="Unpack models",
    inputs=BundleInputs[Source],
    parameters=BundleParameters,
    body=_unpack,
)


def tar_of_models(url: str) -> str:
    """Find the tar of models in a published bundle.

    Parameters
    ----------
    url
        Address of the bundle.

    Returns
    -------
    str
        The tar's address; of a remote one with the MD5 that it must have.

    Raises
    ------
    InputError
        Where there is no whole bundle.
    """
    place = Store(url)
    manifest = place.read_json(BUNDLE_MANIFEST) or {}
    for file, entry in manifest.get("files", {}).items():
        if entry.get("output_type") == "models" and file.endswith(".tar"):
            address = place.uri(*file.split("/"))
            if not place.local:
                return f"{address}#md5={entry.get('md5', '')}"
            if checksums(require_file(address, "models"), ("md5",))["md5"] != entry.get("md5"):
                raise InputError(
                    f"{address}: damaged, its MD5 is not that of the bundle's {BUNDLE_MANIFEST}",
                    remedy="publish the bundle again, or copy it again from where it came",
                )
            return address
    raise InputError(
        f"{redact(url)}: no published bundle",
        expected=f"a {BUNDLE_MANIFEST} that names a tar of models",
        remedy="give <address>/<name> as the run published it, or `models`",
    )
