"""The report over all folds of a data set, and the index over data sets whose results lie below one address."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import bias_response, read_footprints
from chrombpnet_core.models import BIAS, CORRECTED, FULL
from tasks.runner import Result, Work, prefect_task, run_step, step_task
from tasks.steps.ensemble import AGREEMENT
from tasks.storage import Store, place_files, redact, require_place

__all__ = ["INDEX", "make_index", "publish_folds", "report_folds"]

log = logging.getLogger(__name__)

INDEX = "index.html"
_EVALUATION = {"metrics": f"{FULL}_metrics.json", "bias": f"{BIAS}_metrics.json", "footprints": f"{CORRECTED}_footprints.h5"}
_HEADS = ("profile", "counts")


@step_task("Report over the folds")
def report_folds(
    store: str,
    title: str,
    assay: str,
    folds: Mapping[str, Mapping[str, Result]],
    averaged: Mapping[str, Result] | None = None,
    sweep: Sequence[Mapping[str, Any]] | None = None,
    links: Mapping[str, str] | None = None,
) -> Result:
    """Write ``folds_report.html`` and ``folds_report.json``: every fold's numbers, their spread, how well folds agree.

    Parameters
    ----------
    title, assay
        Name of the data set; ``ATAC`` or ``DNASE``.
    folds
        Such as ``fold_0`` → its steps by name: ``evaluate_main`` and, where it has one, ``report``, which is linked as
        ``fold_0/overall_report.html``.
    averaged
        Steps over all folds, those there are: ``tracks``, ``contributions``, ``motifs_profile``, ``motifs_counts``.
    sweep
        A row for each bias threshold factor that was tried.
    links
        Words → address, relative to the page.
    """
    averaged = averaged or {}
    inputs = {
        f"{name}_{what}": str(done["evaluate_main"].file(file))
        for name, done in folds.items()
        for what, file in _EVALUATION.items()
    }
    inputs |= {f"{name}_report": str(done["report"].file("report.json")) for name, done in folds.items() if "report" in done}
    inputs |= {
        f"{name}_agreement": str(averaged[name].file(AGREEMENT)) for name in ("tracks", "contributions") if name in averaged
    }
    motifs = {head: averaged[f"motifs_{head}"].facts["kinds"] for head in _HEADS if f"motifs_{head}" in averaged}
    tests = {name: done["evaluate_main"].manifest["parameters"]["test"] for name, done in folds.items()}
    versions = next(iter(folds.values()))["evaluate_main"].manifest["versions"] if folds else {}
    return run_step(
        store,
        "folds_report",
        1,
        inputs,
        {
            "title": title,
            "assay": assay,
            "test": tests,
            "motifs": motifs,
            "sweep": [dict(row) for row in sweep or ()],
            "links": dict(links or {}),
            "versions": versions,
        },
        _report,
    )


@prefect_task("Publish the report over the folds")
def publish_folds(report: Result, output: str) -> str:
    """Copy the files of :func:`report_folds` to ``output``, the page last; its address."""
    return place_files({name: report.file(name) for name in sorted(report.manifest["files"], reverse=True)}, {}, output)[-1]


def _report(work: Work) -> None:
    from chrombpnet_core.report import FoldsContent, write_folds_report

    parameters = work.parameters
    agreement = {
        name: found
        for of in ("tracks", "contributions")
        if f"{of}_agreement" in work.inputs
        for name, found in _read(work, f"{of}_agreement").items()
    }
    content = FoldsContent(
        parameters["title"],
        parameters["assay"],
        [_fold(work, name, test) for name, test in parameters["test"].items()],
        agreement,
        parameters["sweep"],
        parameters["motifs"],
        parameters["links"],
        {f"version of {name}": version for name, version in parameters["versions"].items()},
    )
    write_folds_report(content, work.out)


def _read(work: Work, name: str) -> dict[str, Any]:
    return json.loads(Path(work.inputs[name]).read_text())


def _fold(work: Work, name: str, test: list[str]) -> Any:
    from chrombpnet_core.report import FoldSummary

    maxima = bias_response(read_footprints(work.inputs[f"{name}_footprints"]))
    report = _read(work, f"{name}_report") if f"{name}_report" in work.inputs else {}
    findings = [verdict["title"] for verdict in report.get("verdicts", []) if verdict["status"] in ("fail", "warn")]
    return FoldSummary(
        name,
        test,
        {FULL: _read(work, f"{name}_metrics"), BIAS: _read(work, f"{name}_bias")},
        max(maxima.values(), default=None),
        report.get("overall", "info"),
        findings,
        f"{name}/overall_report.html" if report else "",
    )


def make_index(root: str) -> str:
    """Write ``index.html``, a table of all data sets whose ``folds_report.json`` lies below ``root``; its address.

    ``root`` is a folder or an address that can be written to, such as ``gs://bucket/models``. A report that cannot be read
    is left out, with a warning.

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
    log.info("%s: %s data sets", redact(address), len(entries))
    return address


def _readable(store: Store, name: str) -> dict[str, Any] | None:
    """A report's numbers, where they are such as the index can show."""
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
