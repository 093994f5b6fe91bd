"""What a published bundle holds: tars of models and regions, README, checksums, manifest; the step that makes them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from chrombpnet_core.evaluation import quality_metric
from tasks.runner import At, Source, Step, Work
from tasks.steps import QUALITY_METRIC
from tasks.storage import checksums

__all__ = [
    "BUNDLE",
    "CONTENT",
    "PERFORMANCE",
    "README",
    "REGIONS",
    "BundleInputs",
    "BundleParameters",
    "metrics_name",
    "regions_name",
    "write_tar",
]

_FORMAT = 1  # of the manifest; raise it when a key changes its meaning
README, CONTENT = "README.md", "bundle.json"
"""The bundle's README; what becomes its manifest."""

REGIONS = ("peaks", "nonpeaks")
PERFORMANCE = "model performance metrics"
"""The portal's name for metrics and reports."""

_TAR_TYPES = {"models": "models", "bias_models": "bias models", "training_and_test_regions": "training and test regions"}


@dataclass(frozen=True, kw_only=True)
class BundleInputs(Generic[At]):
    """Files of steps: members of the tars by their names there, and what is published as it is by its name in the bundle.

    Of ``training_and_test_regions`` they are what its lists are drawn from.
    """

    models: Mapping[str, At]
    bias_models: Mapping[str, At]
    training_and_test_regions: Mapping[str, At]
    plain: Mapping[str, At]


@dataclass(frozen=True, kw_only=True)
class BundleParameters:
    """What README and manifest say.

    Attributes
    ----------
    name
        Of the data set.
    about
        ``assay``, and ``genome``: the assembly's name or the FASTA's.
    size
        ``input_length`` and ``output_length`` in bp.
    folds
        Fold → part of the genome → chromosomes.
    types
        Name of what is published as it is → the portal's name for what it is.
    versions
        Of programs.
    origins
        Name and SHA-256 of each file that the user gave.
    """

    name: str
    about: Mapping[str, str]
    size: Mapping[str, int]
    folds: Mapping[str, Mapping[str, list[str]]]
    types: Mapping[str, str]
    versions: Mapping[str, str]
    origins: list[tuple[str, str]]


_Making = Work[BundleInputs[Path], BundleParameters]


def regions_name(fold: str, kind: str, name: str) -> str:
    """Name the file of a fold's peaks or nonpeaks in the tar of regions."""
    return f"{fold}/{kind}.{fold}.{name}.bed"


def metrics_name(fold: str, model: str) -> str:
    """Name the file of a model's metrics in the bundle."""
    return f"metrics/{fold}.{model}_metrics.json"


def _make(work: _Making) -> None:
    """Write tars, the quality metric, README, checksums and the manifest."""
    inputs, parameters, name = work.inputs, work.parameters, work.parameters.name
    files = {file: (path, parameters.types[file]) for file, path in inputs.plain.items()}
    regions = _regions(name, inputs.training_and_test_regions, parameters.folds)
    tars: dict[str, Mapping[str, Path | bytes]] = {
        "models": dict(inputs.models),
        "bias_models": dict(inputs.bias_models),
        "training_and_test_regions": regions,
    }
    for tar, members in tars.items():
        if members:
            path = work.out / tar.split("_")[-1] / f"{name}.{tar}.tar"
            write_tar(path, members)
            files[path.relative_to(work.out).as_posix()] = path, _TAR_TYPES[tar]
    metrics = {fold: json.loads(files[metrics_name(fold, "chrombpnet")][0].read_text()) for fold in parameters.folds}
    path = work.out / "metrics" / QUALITY_METRIC
    path.parent.mkdir()
    path.write_text(json.dumps(quality_metric([*metrics.values()]), indent=1) + "\n")
    files[f"metrics/{QUALITY_METRIC}"] = path, PERFORMANCE
    sizes = {file: (kind, path.stat().st_size) for file, (path, kind) in sorted(files.items())}
    (work.out / README).write_text(_readme(parameters, sizes, metrics), encoding="utf-8")
    files[README] = work.out / README, "documentation"
    _write_manifest(work, files)


def _write_manifest(work: _Making, files: dict[str, tuple[Path, str]]) -> None:
    """Write lists of checksums, and the manifest, which has these lists, too."""
    parameters = work.parameters
    entries = {
        file: {"output_type": kind, "size": path.stat().st_size, **checksums(path, ("md5",))}
        for file, (path, kind) in sorted(files.items())
    }
    for kind in ("sha256", "md5"):
        listing = work.out / f"checksums.{kind}"
        listing.write_text("".join(f"{entry[kind]}  {file}\n" for file, entry in entries.items()))
    entries |= {
        path.name: {"output_type": "checksums", "size": path.stat().st_size, **checksums(path, ("md5",))}
        for path in sorted(work.out.glob("checksums.*"))
    }
    manifest = {
        "format": _FORMAT,
        "name": parameters.name,
        **parameters.about,
        **parameters.size,
        "folds": parameters.folds,
        "inputs": dict(parameters.origins),
        "versions": parameters.versions,
        "files": entries,
    }
    (work.out / CONTENT).write_text(json.dumps(manifest, indent=1) + "\n")


def _readme(parameters: BundleParameters, files: dict[str, tuple[str, int]], metrics: dict[str, Any]) -> str:
    from chrombpnet_core.report import ModelCard, render_model_card

    name = parameters.name
    folds = [
        {
            "name": fold,
            "test": chromosomes["test"],
            "pearson_peaks": metrics[fold]["counts_metrics"]["peaks"]["pearsonr"],
            "norm_jsd_peaks": metrics[fold]["profile_metrics"]["peaks"]["median_norm_jsd"],
        }
        for fold, chromosomes in parameters.folds.items()
    ]
    ensemble, first = f"models/{name}.ensemble.chrombpnet_nobias.h5", next(iter(parameters.folds))
    example = ensemble if ensemble in files else f"{first}/model.chrombpnet_nobias.{first}.{name}.h5"
    return render_model_card(
        ModelCard(
            name,
            parameters.about.get("assay", ""),
            parameters.about.get("genome", ""),
            parameters.size["input_length"],
            parameters.size["output_length"],
            files,
            example,
            folds,
            list(parameters.origins),
            dict(parameters.versions),
        )
    )


def _regions(
    name: str, sources: Mapping[str, Path], folds: Mapping[str, Mapping[str, list[str]]]
) -> dict[str, Path | bytes]:
    """Member → content: the regions of each fold that trained, validated and tested, and its chromosomes."""
    members: dict[str, Path | bytes] = {}
    for fold, chromosomes in folds.items():
        members[f"{fold}/chromosomes.{fold}.{name}.json"] = (json.dumps(chromosomes, indent=1) + "\n").encode()
        for kind in REGIONS:
            lines = sources[regions_name(fold, kind, name)].read_bytes().splitlines(keepends=True)
            for part, names in chromosomes.items():
                chroms = {chrom.encode() for chrom in names}
                members[f"{fold}/{part}.{kind}.{fold}.{name}.bed"] = b"".join(
                    line for line in lines if line.split(b"\t", 1)[0] in chroms
                )
    return members


def write_tar(path: Path, members: Mapping[str, Path | bytes]) -> None:
    """Write a tar whose bytes depend on names and contents alone: sorted, no times, no owners.

    Parameters
    ----------
    path
        The tar; its folder is made where it is not there.
    members
        Name → file or content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for member in sorted(members):
            source, entry = members[member], tarfile.TarInfo(member)  # mtime, uid and gid are 0, names empty
            entry.mode = 0o644
            if isinstance(source, bytes):
                entry.size = len(source)
                tar.addfile(entry, io.BytesIO(source))
            else:
                entry.size = source.stat().st_size
                with open(source, "rb") as file:
                    tar.addfile(entry, file)


BUNDLE = Step(
    name="bundle",
    version=1,
    title="Make the bundle",
    inputs=BundleInputs[Source],
    parameters=BundleParameters,
    body=_make,
)
