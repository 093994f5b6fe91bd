"""The report over all folds of a data set, and the index over data sets whose results lie below one address."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import bias_response, read_footprints
from chrombpnet_core.models import BIAS, CORRECTED, FULL
from tasks.runner import At, FileOf, ManifestOf, Result, Source, Step, Work, prefect_task
from tasks.steps import AGREEMENT, HEADS
from tasks.storage import Store, place_files, redact, require_place

__all__ = [
    "FOLDS_REPORT",
    "INDEX",
    "FoldsReportInputs",
    "FoldsReportParameters",
    "folds_report_request",
    "make_index",
    "publish_folds",
]

log = logging.getLogger(__name__)

INDEX = "index.html"
_AVERAGED = ("average_tracks", "average_contributions")  # steps that say how well folds agree


@dataclass(frozen=True, kw_only=True)
class FoldsReportInputs(Generic[At]):
    """What the report over the folds is written from; see :func:`folds_report_request`.

    Attributes
    ----------
    metrics, bias_metrics, footprints
        Of every fold, by its name.
    reports
        Manifests of the folds' reports, where they have one, for their verdicts: the reports themselves hold times.
    agreement
        How well the folds agree: files of the steps that average.
    motifs
        Manifests of the steps that found motifs over all folds, by head.
    versions
        Manifest of the first fold's evaluation.
    """

    metrics: Mapping[str, At]
    bias_metrics: Mapping[str, At]
    footprints: Mapping[str, At]
    reports: Mapping[str, At]
    agreement: Mapping[str, At]
    motifs: Mapping[str, At]
    versions: At


@dataclass(frozen=True, kw_only=True)
class FoldsReportParameters:
    """Name of the data set, assay, test chromosomes of every fold, bias threshold factors tried, links beside the page."""

    title: str
    assay: str
    test: Mapping[str, tuple[str, ...]]
    sweep: tuple[Mapping[str, Any], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)


_Reporting = Work[FoldsReportInputs[Path], FoldsReportParameters]


def folds_report_request(
    title: str,
    assay: str,
    folds: Mapping[str, Mapping[str, Result]],
    test: Mapping[str, tuple[str, ...]],
    averages: Mapping[str, Result] | None = None,
    sweep: Sequence[Mapping[str, Any]] | None = None,
    links: Mapping[str, str] | None = None,
) -> tuple[FoldsReportInputs[Source], FoldsReportParameters]:
    """Put together what the step :data:`FOLDS_REPORT` takes.

    Parameters
    ----------
    title
        Name of the data set.
    assay
        ``ATAC`` or ``DNASE``.
    folds
        Such as ``fold_0`` → its results by the steps' names: ``evaluate_main`` and, where it has one, ``report``, which is
        linked as ``fold_0/overall_report.html``.
    test
        Test chromosomes of every fold.
    averages
        Results over all folds, those there are: ``average_tracks``, ``average_contributions``, ``motifs_profile``,
        ``motifs_counts``.
    sweep
        A row for each bias threshold factor that was tried.
    links
        Words → address, relative to the page.

    Returns
    -------
    tuple
        Inputs and parameters.
    """
    averages = averages or {}
    evaluated = {name: results["evaluate_main"] for name, results in folds.items()}

    def of_each(file: str) -> dict[str, FileOf]:
        return {name: FileOf(result, file) for name, result in evaluated.items()}

    inputs = FoldsReportInputs[Source](
        metrics=of_each(f"{FULL}_metrics.json"),
        bias_metrics=of_each(f"{BIAS}_metrics.json"),
        footprints=of_each(f"{CORRECTED}_footprints.h5"),
        reports={name: ManifestOf(results["report"]) for name, results in folds.items() if "report" in results},
        agreement={name: FileOf(averages[name], AGREEMENT) for name in _AVERAGED if name in averages},
        motifs={head: ManifestOf(averages[f"motifs_{head}"]) for head in HEADS if f"motifs_{head}" in averages},
        versions=ManifestOf(next(iter(evaluated.values()))),
    )
    parameters = FoldsReportParameters(
        title=title, assay=assay, test=test, sweep=tuple(sweep or ()), links=dict(links or {})
    )
    return inputs, parameters


@prefect_task("Publish the report over the folds")
def publish_folds(report: Result, output: str) -> str:
    """Copy the files of :data:`FOLDS_REPORT` to ``output``, the page last; its address."""
    return place_files({name: report.file(name) for name in sorted(report.manifest["files"], reverse=True)}, {}, output)[-1]


def _report(work: _Reporting) -> None:
    """Write page and numbers: every fold's, their spread, how well folds agree."""
    from chrombpnet_core.report import FoldsContent, write_folds_report

    inputs, parameters = work.inputs, work.parameters
    agreement = {name: pairs for path in inputs.agreement.values() for name, pairs in _read(path).items()}
    motifs = {head: _read(path)["facts"]["kinds"] for head, path in inputs.motifs.items()}
    versions = _read(inputs.versions)["versions"]
    content = FoldsContent(
        parameters.title,
        parameters.assay,
        [_fold(inputs, name, list(test)) for name, test in parameters.test.items()],
        agreement,
        [dict(row) for row in parameters.sweep],
        motifs,
        dict(parameters.links),
        {f"version of {name}": version for name, version in versions.items()},
    )
    write_folds_report(content, work.out)


FOLDS_REPORT = Step(
    name="folds_report",
    version=3,
    title="Report over the folds",
    inputs=FoldsReportInputs[Source],
    parameters=FoldsReportParameters,
    body=_report,
)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _fold(inputs: FoldsReportInputs[Path], name: str, test: list[str]) -> Any:
    from chrombpnet_core.report import FoldSummary

    maxima = bias_response(read_footprints(inputs.footprints[name]))
    report = _read(inputs.reports[name])["facts"] if name in inputs.reports else {}
    missed = [verdict for verdict in report.get("verdicts", []) if verdict["status"] in ("fail", "warn")]
    return FoldSummary(
        name,
        test,
        {FULL: _read(inputs.metrics[name]), BIAS: _read(inputs.bias_metrics[name])},
        max(maxima.values(), default=None),
        report.get("overall", "info"),
        [verdict["title"] for verdict in missed],
        f"{name}/overall_report.html" if report else "",
        {verdict["title"]: verdict.get("remedy", "") for verdict in missed},
    )


def make_index(root: str) -> str:
    """Write ``index.html``, a table of all data sets whose ``folds_report.json`` lies below a place.

    A report that cannot be read is left out, with a warning.

    Parameters
    ----------
    root
        Folder or address that can be written to, such as ``gs://bucket/models``.

    Returns
    -------
    str
        Address of the table.

    Raises
    ------
    InputError
        Where there is none.
    """
    from chrombpnet_core.report import FOLDS_JSON, render_index

    require_place(root, "index")
    store = Store(root)
    names = sorted(name for name in store.sizes() if name.split("/")[-1] == FOLDS_JSON)
    entries = [
        (name.removesuffix(FOLDS_JSON).rstrip("/"), content)
        for name in names
        if (content := _readable(store, name)) is not None
    ]
    if not entries:
        raise InputError(
            f"{redact(root)}: no report over folds below it",
            expected=f"{FOLDS_JSON} of one data set or more",
            remedy="give the folder that holds the data sets' results",
        )
    [address] = place_files({}, {INDEX: render_index(entries)}, root)
    log.info("%s: data sets: %s", redact(address), f"{len(entries):,}")
    return address


def _readable(store: Store, name: str) -> dict[str, Any] | None:
    """Read a report's numbers, where they are such as the index can show."""
    from chrombpnet_core.report import FOLDS_FORMAT, render_index

    content = store.read_json(*name.split("/"))
    try:
        if isinstance(content, dict) and content.get("format") == FOLDS_FORMAT:
            render_index([("", content)])
            return content
    except (AttributeError, TypeError, ValueError):
        pass
    log.warning("%s is left out: it is not such a report as this version writes", redact(store.uri(name)))
    return None
