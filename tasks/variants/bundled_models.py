"""The models of a published bundle: where their tar is, and the step that unpacks it."""

from __future__ import annotations

import itertools
import re
import shutil
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

_NOBIAS = re.compile(
    r"(?:\./)?(?P<fold>[A-Za-z0-9_-]+)/model\.chrombpnet_nobias\.(?:(?P=fold)\.)?(?P<data_set>[A-Za-z0-9_.-]*)\.h5"
)
_MOST, _LARGEST = 10_000, 2 << 30  # members that are looked at, bytes of a model
_PLACE = re.compile(r"(?!.*(^|/)\.{1,2}(/|$))[A-Za-z0-9_. -]+(/[A-Za-z0-9_. -]+)*\.tar")


@dataclass(frozen=True, kw_only=True)
class BundleInputs(Generic[At]):
    """The tar of models."""

    tar: At


@dataclass(frozen=True)
class BundleParameters:
    """None."""


def _unpack(work: Work[BundleInputs[Path], BundleParameters]) -> None:
    """Write the bias-free model of each fold as ``<fold>.h5``; nothing else of the tar, and to no other place."""
    path, data_sets = work.inputs.tar, set[str]()
    try:
        with tarfile.open(path, "r:") as tar:
            for member in itertools.islice(tar, _MOST):
                match = _NOBIAS.fullmatch(member.name)
                if not match:
                    continue
                target, content = work.out / f"{match['fold']}.h5", tar.extractfile(member) if member.isreg() else None
                if content is None or member.issparse() or member.size > _LARGEST or target.exists():
                    raise InputError(
                        f"{path}: {match['fold']}: no model",
                        expected=f"each model once, as a file of at most {_LARGEST >> 20:,} MiB, no link",
                    )
                with content, open(target, "wb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                data_sets.add(match["data_set"])
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        raise InputError(f"{path}: not a tar of models", found=str(error)[:200]) from error
    if not data_sets:
        raise InputError(f"{path}: no bias-free model in it", expected="members fold_0/model.chrombpnet_nobias.….h5, …")
    if len(data_sets) > 1:
        raise InputError(
            f"{path}: models of {len(data_sets):,} data sets",
            expected="the folds of one",
            found=", ".join(sorted(data_sets)[:3]),
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
    manifest = place.read_json(BUNDLE_MANIFEST)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    for file, entry in files.items() if isinstance(files, dict) else ():
        if isinstance(entry, dict) and entry.get("output_type") == "models" and _PLACE.fullmatch(file):
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
