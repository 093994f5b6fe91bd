"""Publish the models of a data set as the ENCODE portal does: tars of models and regions, tracks, contributions, motifs.

``<address>/<name>/`` gets the files, ``README.md``, checksums, and last of all ``manifest.json``: a bundle without one is
not whole.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from chrombpnet_core.errors import InputError, counted
from tasks._prefect import in_prefect_task
from tasks.reports.bundle_content import (
    BUNDLE,
    CONTENT,
    PERFORMANCE,
    README,
    REGIONS,
    BundleInputs,
    BundleParameters,
    metrics_name,
    regions_name,
)
from tasks.runner import FileOf, Result, prefect_task
from tasks.storage import Store, cache_folder, place_files, redact, require_place

__all__ = ["BUNDLE_MANIFEST", "publish_bundle"]

log = logging.getLogger(__name__)

Steps: TypeAlias = Mapping[str, Result]
"""Results by the step's name in the run."""

BUNDLE_MANIFEST = "manifest.json"
"""Of a published bundle: its files with size, SHA-256, MD5 and the portal's name for what they are."""

_MODELS = {
    "bias_scaled": ("scale_bias", "bias_model_scaled.h5"),
    "chrombpnet": ("train_main", "chrombpnet.h5"),
    "chrombpnet_nobias": ("train_main", "chrombpnet_nobias.h5"),
}
_LOGS = ("chrombpnet.log", "chrombpnet_model_params.tsv", "chrombpnet_data_params.tsv")
_TRACKS = {
    "chrombpnet": "predicted signal profile",
    "chrombpnet_nobias": "bias-corrected predicted signal profile",
    "bias": "predicted bias profile",
}
_SELECTED = "selected regions for predicted signal and sequence contribution scores"


@prefect_task("Publish the bundle")
def publish_bundle(
    store: str,
    name: str,
    url: str,
    folds: Mapping[str, Steps],
    averaged: Steps | None = None,
    about: Mapping[str, str] | None = None,
) -> str:
    """Put the bundle under ``<url>/<name>/``; what is there already is not copied again.

    Parameters
    ----------
    store
        Where tars and texts are made, once for the same results.
    name
        Of the data set; part of the files' names.
    url
        A folder or any address that can be written to.
    folds
        Such as ``fold_0`` → its steps by name: ``scale_bias``, ``select_main``, ``train_main``, ``evaluate_main`` and,
        where it has them, ``train_bias`` and ``report``.
    averaged
        Steps over all folds, those there are: ``average_models``, ``average_tracks``, ``average_contributions``,
        ``motifs_profile``, ``motifs_counts`` and ``folds_report``.
    about
        ``assay``, and ``genome``: the assembly's name or the FASTA's.

    Returns
    -------
    str
        Address of its README.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError("the bundle's name", expected="letters, digits, points, dashes and underscores", found=repr(name))
    require_place(url, "bundle")
    plain = _plain(name, folds, averaged or {})
    first = _first(folds)
    made = BUNDLE(
        store,
        BundleInputs(
            models=_models(name, folds),
            bias_models=_bias_models(name, folds),
            training_and_test_regions=_regions(name, folds),
            plain={file: source for file, (source, _) in plain.items()},
        ),
        BundleParameters(
            name=name,
            about=dict(about or {}),
            size=_size_of(first),
            folds={fold: steps["select_main"].manifest["parameters"]["fold"] for fold, steps in folds.items()},
            types={file: kind for file, (_, kind) in plain.items()},
            versions=first["train_main"].manifest["versions"],
            origins=_origins(first),
        ),
    )
    sources = {file: source for file, (source, _) in plain.items()}
    sources |= {file: FileOf(made, file) for file in made.manifest["files"] if file != CONTENT}
    address = _place(sources, made.file(CONTENT), f"{url.rstrip('/')}/{name}")
    _link(name, address)
    return address


def _link(name: str, address: str) -> None:
    """Show the bundle among the run's artifacts."""
    if in_prefect_task():
        from prefect.artifacts import create_link_artifact

        create_link_artifact(
            link=redact(address),
            link_text=f"{name}: published models",
            key=f"bundle-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}",
        )


def _first(folds: Mapping[str, Steps]) -> Steps:
    if not folds:
        raise InputError("a bundle of no folds", expected="the steps of one fold or more")
    return next(iter(folds.values()))


def _models(name: str, folds: Mapping[str, Steps]) -> dict[str, FileOf]:
    """Member of the tar of models → file of a step."""
    members: dict[str, FileOf] = {}
    for fold, steps in folds.items():
        members |= {
            f"{fold}/model.{kind}.{fold}.{name}.h5": FileOf(steps[step], file) for kind, (step, file) in _MODELS.items()
        }
        trained = steps["train_main"]
        members |= {
            f"{fold}/logs.models.{fold}.{name}/{file}": FileOf(trained, file)
            for file in _LOGS
            if file in trained.manifest["files"]
        }
    return members


def _bias_models(name: str, folds: Mapping[str, Steps]) -> dict[str, FileOf]:
    return {
        f"{fold}/model.bias.{fold}.{name}.h5": FileOf(steps["train_bias"], "bias.h5")
        for fold, steps in folds.items()
        if "train_bias" in steps
    }


def _regions(name: str, folds: Mapping[str, Steps]) -> dict[str, FileOf]:
    return {
        regions_name(fold, kind, name): FileOf(steps["select_main"], f"filtered.{kind}.bed")
        for fold, steps in folds.items()
        for kind in REGIONS
    }


def _plain(name: str, folds: Mapping[str, Steps], averaged: Steps) -> dict[str, tuple[FileOf, str]]:
    """File of the bundle → file of a step and the portal's name for what it is, of what is published as it is."""
    files: dict[str, tuple[FileOf, str]] = {}

    def take(step: str, source: str, target: str, kind: str) -> None:
        if step in averaged and source in averaged[step].manifest["files"]:
            files[target] = FileOf(averaged[step], source), kind

    for kind in ("chrombpnet", "chrombpnet_nobias"):
        take("average_models", f"{kind}.h5", f"models/{name}.ensemble.{kind}.h5", "models, mean of the folds")
    for kind, words in _TRACKS.items():
        take("average_tracks", f"{kind}.bw", f"tracks/{name}.{re.sub('[ -]', '_', words)}.bw", words)
    take("average_tracks", "regions.bed", f"regions/{name}.predicted_regions.bed", _SELECTED)
    take("average_contributions", "interpreted_regions.bed", f"regions/{name}.explained_regions.bed", _SELECTED)
    for head in ("profile", "counts"):
        for form in ("bw", "h5"):
            take(
                "average_contributions",
                f"{head}_scores.{form}",
                f"contributions/{name}.{head}_sequence_contribution_scores.{form}",
                f"{head} sequence contribution scores",
            )
        for source, target, words in (
            ("modisco.h5", "h5", "sequence motifs"),
            ("motifs.tsv", "tsv", "sequence motifs"),
            ("motifs.html", "html", "sequence motifs report"),
        ):
            take(f"motifs_{head}", source, f"motifs/{name}.{head}_sequence_motifs.{target}", words)
    for fold, steps in folds.items():
        for model in ("bias", "chrombpnet", "chrombpnet_nobias"):
            metrics = FileOf(steps["evaluate_main"], f"{model}_metrics.json")
            files[metrics_name(fold, model)] = metrics, PERFORMANCE
        if "report" in steps:
            files[f"{fold}/overall_report.html"] = FileOf(steps["report"], "overall_report.html"), PERFORMANCE
    for file in ("folds_report.html", "folds_report.json"):
        take("folds_report", file, file, PERFORMANCE)
    return files


def _size_of(steps: Steps) -> dict[str, int]:
    architecture = steps["train_main"].manifest["parameters"]["model"]["architecture"]
    return {key: architecture[key] for key in ("input_length", "output_length")}


def _origins(steps: Steps) -> list[tuple[str, str]]:
    """Name and SHA-256 of each file that the user gave; no folders, which may tell what is nobody's business."""
    digests: dict[str, str] = {}
    for result in steps.values():
        for what, origin in result.manifest["inputs"].items():
            for item in origin if isinstance(origin, list) else [origin]:
                if "uri" in item and not item["uri"].startswith((result.store, str(cache_folder()))):
                    digests[f"{what.replace('_', ' ')}: {item['uri'].rsplit('/', 1)[-1]}"] = item["sha256"]
    return sorted(digests.items())


def _place(sources: dict[str, FileOf], own: Path, url: str) -> str:
    """Copy what is not there already, what an index looks for late and the manifest last; the address of the README."""
    target, manifest = Store(url), json.loads(own.read_text())
    before, present = target.read_json(BUNDLE_MANIFEST), target.sizes()
    if before == manifest and all(present.get(file) == entry["size"] for file, entry in manifest["files"].items()):
        log.info("%s: published already", redact(url))
        return target.uri(README)
    if before is not None:
        target.remove(BUNDLE_MANIFEST)
        for file in before.get("files", {}):
            if file not in sources and file in present:
                target.remove(*file.split("/"))
    order = sorted(sources, key=lambda file: (file.startswith("folds_report"), file))
    place_files({**{file: _path_of(sources[file]) for file in order}, BUNDLE_MANIFEST: own}, {}, url)
    log.info("%s: %s", redact(url), counted(len(sources) + 1, "files"))
    return target.uri(README)


def _path_of(source: FileOf) -> Path:
    assert isinstance(source.step, Result)
    return source.step.file(source.name)
