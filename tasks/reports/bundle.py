"""Publish the models of a data set as the ENCODE portal does: tars of models and regions, tracks, contributions, motifs.

``<address>/<name>/`` gets the files, ``README.md``, checksums, and last of all ``manifest.json``: a bundle without one is
not whole.
"""

from __future__ import annotations

import io
import json
import logging
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact
from prefect.context import FlowRunContext, TaskRunContext

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import quality_metric
from tasks.runner import Result, Work, prefect_task, run_step
from tasks.steps.evaluation import QUALITY_METRIC
from tasks.storage import Store, cache_folder, checksums, place_files, redact, require_place

__all__ = ["BUNDLE_MANIFEST", "publish_bundle", "write_tar"]

log = logging.getLogger(__name__)

BUNDLE_MANIFEST = "manifest.json"
"""Of a published bundle: its files with size, SHA-256, MD5 and the portal's name for what they are."""

_FORMAT = 1  # of the manifest; raise it when a key changes its meaning
_README, _OWN = "README.md", "bundle.json"
_MODELS = {
    "bias_scaled": ("scale_bias", "bias_model_scaled.h5"),
    "chrombpnet": ("train_main", "chrombpnet.h5"),
    "chrombpnet_nobias": ("train_main", "chrombpnet_nobias.h5"),
}
_LOGS = ("chrombpnet.log", "chrombpnet_model_params.tsv", "chrombpnet_data_params.tsv")
_REGIONS = ("peaks", "nonpeaks")
_REGIONS_TAR = "training_and_test_regions"
_TAR_TYPES = {"models": "models", "bias_models": "bias models", _REGIONS_TAR: "training and test regions"}
_TRACKS = {
    "chrombpnet": "predicted signal profile",
    "chrombpnet_nobias": "bias-corrected predicted signal profile",
    "bias": "predicted bias profile",
}
_SELECTED = "selected regions for predicted signal and sequence contribution scores"
_PERFORMANCE = "model performance metrics"


@prefect_task("Publish the bundle")
def publish_bundle(
    store: str,
    name: str,
    url: str,
    folds: Mapping[str, Mapping[str, Result]],
    averaged: Mapping[str, Result] | None = None,
    about: Mapping[str, str] | None = None,
) -> str:
    """Put the bundle under ``<url>/<name>/``; the address of its README. What is there already is not copied again.

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
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError("the bundle's name", expected="letters, digits, points, dashes and underscores", found=repr(name))
    require_place(url, "bundle")
    packed, plain = _packed(name, folds), _plain(name, folds, averaged or {})
    sources = {file: source for members in (*packed.values(), plain) for file, source in members.items()}
    made = run_step(
        store,
        "bundle",
        1,
        {},
        {
            "name": name,
            "about": dict(about or {}),
            "size": _size_of(folds),
            "folds": {fold: done["select_main"].manifest["parameters"]["fold"] for fold, done in folds.items()},
            "sha256": {file: source.sha256 for file, source in sources.items()},
            "versions": _first(folds)["train_main"].manifest["versions"],
            "origins": _origins(_first(folds)),
        },
        lambda work: _make(work, packed, plain),
    )
    own = [file for file in made.manifest["files"] if file != _OWN]
    address = _place(plain | {file: _Source(made, file) for file in own}, made.file(_OWN), f"{url.rstrip('/')}/{name}")
    if FlowRunContext.get() is not None or TaskRunContext.get() is not None:
        create_link_artifact(
            link=redact(address),
            link_text=f"{name}: published models",
            key=f"bundle-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}",
        )
    return address


@dataclass(frozen=True)
class _Source:
    """A file of a step, and the portal's name for what it is."""

    result: Result
    file: str
    kind: str = ""

    @property
    def sha256(self) -> str:
        return self.result.manifest["files"][self.file]["sha256"]

    @property
    def path(self) -> Path:
        """A local copy."""
        return self.result.file(self.file)


def _first(folds: Mapping[str, Mapping[str, Result]]) -> Mapping[str, Result]:
    if not folds:
        raise InputError("a bundle of no folds", expected="the steps of one fold or more")
    return next(iter(folds.values()))


def _packed(name: str, folds: Mapping[str, Mapping[str, Result]]) -> dict[str, dict[str, _Source]]:
    """Tar → member → source. Of the regions' tar the members are what its lists are drawn from."""
    tars: dict[str, dict[str, _Source]] = {tar: {} for tar in _TAR_TYPES}
    for fold, done in folds.items():
        trained = done["train_main"]
        tars["models"] |= {
            f"{fold}/model.{kind}.{fold}.{name}.h5": _Source(done[step], file) for kind, (step, file) in _MODELS.items()
        }
        tars["models"] |= {
            f"{fold}/logs.models.{fold}.{name}/{file}": _Source(trained, file)
            for file in _LOGS
            if file in trained.manifest["files"]
        }
        if "train_bias" in done:
            tars["bias_models"][f"{fold}/model.bias.{fold}.{name}.h5"] = _Source(done["train_bias"], "bias.h5")
        tars[_REGIONS_TAR] |= {
            _regions_name(fold, kind, name): _Source(done["select_main"], f"filtered.{kind}.bed") for kind in _REGIONS
        }
    return {tar: members for tar, members in tars.items() if members}


def _regions_name(fold: str, kind: str, name: str) -> str:
    return f"{fold}/{kind}.{fold}.{name}.bed"


def _plain(name: str, folds: Mapping[str, Mapping[str, Result]], averaged: Mapping[str, Result]) -> dict[str, _Source]:
    """File of the bundle → source, of what is published as it is."""
    files: dict[str, _Source] = {}

    def take(step: str, source: str, target: str, kind: str) -> None:
        if step in averaged and source in averaged[step].manifest["files"]:
            files[target] = _Source(averaged[step], source, kind)

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
    for fold, done in folds.items():
        for model in ("bias", "chrombpnet", "chrombpnet_nobias"):
            files[_metrics_name(fold, model)] = _Source(done["evaluate_main"], f"{model}_metrics.json", _PERFORMANCE)
        if "report" in done:
            files[f"{fold}/overall_report.html"] = _Source(done["report"], "overall_report.html", _PERFORMANCE)
    for file in ("folds_report.html", "folds_report.json"):
        take("folds_report", file, file, _PERFORMANCE)
    return files


def _metrics_name(fold: str, model: str) -> str:
    return f"metrics/{fold}.{model}_metrics.json"


def _size_of(folds: Mapping[str, Mapping[str, Result]]) -> dict[str, int]:
    architecture = _first(folds)["train_main"].manifest["parameters"]["model"]["architecture"]
    return {key: architecture[key] for key in ("input_length", "output_length")}


def _origins(done: Mapping[str, Result]) -> list[tuple[str, str]]:
    """Name and SHA-256 of each file that the user gave; no folders, which may tell what is nobody's business."""
    found: dict[str, str] = {}
    for result in done.values():
        for what, origin in result.manifest["inputs"].items():
            for item in origin if isinstance(origin, list) else [origin]:
                if "uri" in item and not item["uri"].startswith((result.store, str(cache_folder()))):
                    found[f"{what.replace('_', ' ')}: {item['uri'].rsplit('/', 1)[-1]}"] = item["sha256"]
    return sorted(found.items())


def _make(work: Work, packed: dict[str, dict[str, _Source]], plain: dict[str, _Source]) -> None:
    """Write tars, the quality metric, README, checksums and the manifest."""
    parameters, name = work.parameters, work.parameters["name"]
    files = {file: (source.path, source.kind) for file, source in plain.items()}
    for tar, members in packed.items():
        path = work.out / tar.split("_")[-1] / f"{name}.{tar}.tar"
        paths = {member: source.path for member, source in members.items()}
        write_tar(path, _regions(name, paths, parameters["folds"]) if tar == _REGIONS_TAR else paths)
        files[path.relative_to(work.out).as_posix()] = path, _TAR_TYPES[tar]
    metrics = {fold: json.loads(files[_metrics_name(fold, "chrombpnet")][0].read_text()) for fold in parameters["folds"]}
    path = work.out / "metrics" / QUALITY_METRIC
    path.parent.mkdir()
    path.write_text(json.dumps(quality_metric([*metrics.values()]), indent=1) + "\n")
    files[f"metrics/{QUALITY_METRIC}"] = path, _PERFORMANCE
    (work.out / _README).write_text(
        _readme(work, {file: (kind, path.stat().st_size) for file, (path, kind) in sorted(files.items())}, metrics),
        encoding="utf-8",
    )
    files[_README] = work.out / _README, "documentation"
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
        "name": name,
        **parameters["about"],
        **parameters["size"],
        "folds": parameters["folds"],
        "inputs": dict(parameters["origins"]),
        "versions": parameters["versions"],
        "files": entries,
    }
    (work.out / _OWN).write_text(json.dumps(manifest, indent=1) + "\n")


def _readme(work: Work, files: dict[str, tuple[str, int]], metrics: dict[str, Any]) -> str:
    from chrombpnet_core.report import ModelCard, render_model_card

    parameters, name = work.parameters, work.parameters["name"]
    folds = [
        {
            "name": fold,
            "test": chromosomes["test"],
            "pearson_peaks": metrics[fold]["counts_metrics"]["peaks"]["pearsonr"],
            "norm_jsd_peaks": metrics[fold]["profile_metrics"]["peaks"]["median_norm_jsd"],
        }
        for fold, chromosomes in parameters["folds"].items()
    ]
    ensemble, first = f"models/{name}.ensemble.chrombpnet_nobias.h5", next(iter(parameters["folds"]))
    example = ensemble if ensemble in files else f"{first}/model.chrombpnet_nobias.{first}.{name}.h5"
    return render_model_card(
        ModelCard(
            name,
            parameters["about"].get("assay", ""),
            parameters["about"].get("genome", ""),
            parameters["size"]["input_length"],
            parameters["size"]["output_length"],
            files,
            example,
            folds,
            [tuple(origin) for origin in parameters["origins"]],
            parameters["versions"],
        )
    )


def _regions(name: str, sources: dict[str, Path], folds: dict[str, dict[str, list[str]]]) -> dict[str, bytes]:
    """Member → content: the regions of each fold that trained, validated and tested, and its chromosomes."""
    members: dict[str, bytes] = {}
    for fold, chromosomes in folds.items():
        members[f"{fold}/chromosomes.{fold}.{name}.json"] = (json.dumps(chromosomes, indent=1) + "\n").encode()
        for kind in _REGIONS:
            lines = sources[_regions_name(fold, kind, name)].read_bytes().splitlines(keepends=True)
            for part, names in chromosomes.items():
                of = {chrom.encode() for chrom in names}
                members[f"{fold}/{part}.{kind}.{fold}.{name}.bed"] = b"".join(
                    line for line in lines if line.split(b"\t", 1)[0] in of
                )
    return members


def write_tar(path: Path, members: Mapping[str, Path | bytes]) -> None:
    """Write a tar whose bytes depend on names and contents alone: sorted, no times, no owners."""
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


def _place(sources: dict[str, _Source], own: Path, url: str) -> str:
    """Copy what is not there already, what an index looks for late and the manifest last; the address of the README."""
    target, manifest = Store(url), json.loads(own.read_text())
    before, present = target.read_json(BUNDLE_MANIFEST), target.sizes()
    if before == manifest and all(present.get(file) == entry["size"] for file, entry in manifest["files"].items()):
        log.info("%s: published already", redact(url))
        return target.uri(_README)
    if before is not None:
        target.remove(BUNDLE_MANIFEST)
        for file in before.get("files", {}):
            if file not in sources and file in present:
                target.remove(*file.split("/"))
    order = sorted(sources, key=lambda file: (file.startswith("folds_report"), file))
    place_files({**{file: sources[file].path for file in order}, BUNDLE_MANIFEST: own}, {}, url)
    log.info("%s: %s files", redact(url), len(sources) + 1)
    return target.uri(_README)
