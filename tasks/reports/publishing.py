"""Put a run's files where the user wants them, in the reference's layout."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import counted
from chrombpnet_core.evaluation import quality_metric
from tasks.reports.layout import placed_files
from tasks.runner import Result, RunKind, prefect_task
from tasks.steps import QUALITY_METRIC
from tasks.storage import Store, place_files, prefixed_path

__all__ = ["place_with_links", "publish_quality_metric", "publish_run"]

log = logging.getLogger(__name__)

_MODEL_FOLDERS = ("main/", "bias/")  # of a data set's fold


@prefect_task("Publish results")
def publish_run(
    kind: RunKind,
    done: Mapping[str, Result],
    asked: dict[str, Any],
    output: str,
    prefix: str = "",
    assembly: str | None = None,
) -> str:
    """Copy models, logs, tracks, metrics and, where it has one, the report of a run to ``output``.

    Where there are tracks, a page that shows them and sessions for IGV stand beside their folders, and hubs for UCSC and
    WashU where the ``assembly`` has a name. Files are replaced one by one, each whole, the report last. Returns the
    report's address, else ``output``.
    """
    from chrombpnet_core.report import REPORT_HTML

    files = placed_files(kind, done)
    arguments: dict[str, str] = {}
    if kind in ("bias", "main"):
        arguments[f"logs/{'bias' if kind == 'bias' else 'chrombpnet'}.args.json"] = json.dumps(asked, indent=1) + "\n"
    if kind != "dataset":
        from tasks.reports.browsing import browser_files

        browser = browser_files(files, done, asked, output, prefix, assembly)
        arguments, files = arguments | browser.texts, browser.files | files
    known = {name: "/".join(prefixed_path(name, prefix)) for name in (*arguments, *files)}
    if kind == "dataset":  # its models' files are there already
        known |= {name: name for name in sorted(Store(output).sizes()) if name.startswith(_MODEL_FOLDERS)}
    page = next((name for name in files if name.rsplit("/", 1)[-1] == REPORT_HTML), None)
    placed = place_with_links(files, arguments, output, prefix, page=page, known=known)
    log.info("%s: %s", output, counted(len(placed), "files"))
    return placed[-1] if "report" in done else output


def place_with_links(
    files: Mapping[str, Path],
    texts: Mapping[str, str],
    output: str,
    prefix: str = "",
    *,
    page: str | None,
    known: Mapping[str, str],
) -> list[str]:
    """Place files and texts as :func:`tasks.storage.place_files` does; a page among them, which links to them, last.

    Parameters
    ----------
    files
        Relative path → local file.
    texts
        Relative path → content.
    output
        Folder or address.
    prefix
        Comes before each name, with an underscore.
    page
        Path of the page; None where there is none.
    known
        Path that the page knows a file by → its path in ``output``.

    Returns
    -------
    list of str
        Addresses of texts, then of files, then of the page.
    """
    from chrombpnet_core.report import link_files

    placed = place_files({name: path for name, path in files.items() if name != page}, dict(texts), output, prefix)
    if page is None:
        return placed
    html = link_files("/".join(prefixed_path(page, prefix)), files[page].read_text(encoding="utf-8"), known)
    return [*placed, *place_files({}, {page: html}, output, prefix)]


@prefect_task("Publish the quality metric")
def publish_quality_metric(evaluated: list[Result], output: str) -> None:
    """Write ENCODE's quality metric, medians over the evaluations of all folds, to ``output``."""
    folds = [json.loads(result.file("chrombpnet_metrics.json").read_text()) for result in evaluated]
    place_files({}, {QUALITY_METRIC: json.dumps(quality_metric(folds), indent=1) + "\n"}, output)
