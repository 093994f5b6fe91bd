"""The catalogue of ENCODE experiments: what became of each, in one Parquet file and a web page of it.

The file is written whole, on the condition that nobody has written it since it was read: two flows at a time lose nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chrombpnet_core.errors import InputError
from tasks.runner import MANIFEST
from tasks.runs import is_running, parts_of, run_id
from tasks.storage import Overtaken, StorageError, Store, locked, place_files, redact

__all__ = ["CATALOGUE", "METRICS", "PAGE", "STATES", "Catalogue", "Entry", "gpu_hours", "now", "outcome"]

log = logging.getLogger(__name__)

CATALOGUE, PAGE = "catalogue.parquet", "catalogue.html"
STATES = ("failed", "stale", "started", "new", "done", "refused")

METRICS = ("pearson_peaks", "spearman_peaks", "norm_jsd_peaks", "auroc", "bias_pearson_peaks", "footprint")
"""Of ``folds_report.json``: medians over the folds."""

_ON_DEVICE = (
    "train_bias",
    "train_main",
    "scale_bias",
    "evaluate_bias",
    "evaluate_main",
    "peak_tracks",
    "contributions",
    "average_tracks",
)
"""Steps that compute on a GPU where there is one."""

_TIMES = ("seen", "started", "ended")
_ATTEMPTS = 10  # at a write that others are at, too


@dataclass(frozen=True)
class Entry:
    """What is known of an experiment.

    Attributes
    ----------
    accession, assay, biosample, released
        As the portal tells them: the assay's title, a description, a date.
    state
        One of :data:`STATES`: ``new`` waits for its turn, ``stale`` was done, or failed, with other files, code or settings.
    reason
        Why it is refused, stale or failed; empty otherwise.
    files
        Accession → MD5 of the files it was, or would be, made of.
    code, settings
        Version of the program, and digest of the settings.
    key
        Digest of files, code and settings: names the folder of results.
    attempt, run, fold_deployment
        How often it was started with this key; Prefect's flow run, empty where the flow itself did it.
    output, report, link
        Addresses of results, of the report over folds (empty before it is there), of the run in Prefect's UI.
    pearson_peaks, …
        :data:`METRICS`.
    gpu_hours, cost
        Of the steps that compute on a GPU, and their price; None where nobody knows.
    seen, started, ended
        UTC.
    """

    accession: str
    assay: str = ""
    biosample: str = ""
    released: str = ""
    state: str = "new"
    reason: str = ""
    files: dict[str, str] = field(default_factory=dict)
    code: str = ""
    settings: str = ""
    key: str = ""
    attempt: int = 0
    run: str = ""
    output: str = ""
    report: str = ""
    link: str = ""
    pearson_peaks: float | None = None
    spearman_peaks: float | None = None
    norm_jsd_peaks: float | None = None
    auroc: float | None = None
    bias_pearson_peaks: float | None = None
    footprint: float | None = None
    gpu_hours: float | None = None
    cost: float | None = None
    seen: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None


def _kind(name: str) -> pa.DataType:
    special = {"files": pa.map_(pa.string(), pa.string()), "attempt": pa.int32()}
    special |= dict.fromkeys(_TIMES, pa.timestamp("ms", "UTC"))
    return special.get(name) or (pa.float64() if name in (*METRICS, "gpu_hours", "cost") else pa.string())


_SCHEMA = pa.schema([(each.name, _kind(each.name)) for each in fields(Entry)], {"format": "1"})


def now() -> datetime:
    """Return the time, to a second, as the catalogue keeps it.

    Returns
    -------
    datetime
        UTC.
    """
    return datetime.now(UTC).replace(microsecond=0)


class Catalogue:
    """The catalogue in a folder, or below an address."""

    def __init__(self, root: str) -> None:
        self._store = Store(root)

    def read(self) -> dict[str, Entry]:
        """Read all entries.

        Returns
        -------
        dict
            Accession → entry.

        Raises
        ------
        InputError
            Where what lies there is no catalogue.
        """
        data = self._store.read_bytes(CATALOGUE)
        if data is None:
            return {}
        known = {each.name for each in fields(Entry)}
        try:
            table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
            rows = table.to_pylist()
            if (table.schema.metadata or {}).get(_SEAL, _digest(rows)) != _digest(rows):
                raise ValueError("its checksum is wrong")
            found = [
                Entry(**{name: value for name, value in row.items() if name in known} | {"files": dict(row["files"])})
                for row in rows
            ]
        except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{redact(self._store.uri(CATALOGUE))}: not a catalogue, or damaged",
                found=str(error)[:100],
                remedy="move it away: it is made anew from the portal and the results",
            ) from None
        return {entry.accession: entry for entry in found}

    def change(self, change: Callable[[dict[str, Entry]], dict[str, Entry]]) -> dict[str, Entry]:
        """Change entries, whatever other processes write meanwhile.

        Parameters
        ----------
        change
            Makes entries to write of all entries; it is called again where another process was faster.

        Returns
        -------
        dict
            Accession → entry, of all entries as they are then.
        """
        with self._alone():
            for _ in range(_ATTEMPTS):
                mark = self._store.mark(CATALOGUE)  # before reading: what is written later than that is not replaced
                before = self.read()
                after = before | change(before)
                if after == before:
                    return after
                try:
                    self._store.write_bytes(_encoded(after), CATALOGUE, replacing=mark)
                    return after
                except Overtaken:
                    log.info("the catalogue was changed meanwhile; once more")
        raise StorageError(f"{redact(self._store.uri(CATALOGUE))}: others write it all the time")

    def update(self, before: Mapping[str, Entry], after: Mapping[str, Entry]) -> dict[str, Entry]:
        """Write the entries ``after`` in place of those ``before``; those that another process has changed since stay."""
        return self.change(lambda rows: {name: entry for name, entry in after.items() if rows.get(name) == before.get(name)})

    def put(self, *entries: Entry) -> dict[str, Entry]:
        """Write some entries."""
        return self.change(lambda _: {entry.accession: entry for entry in entries})

    def write_page(self) -> str:
        """Write the web page beside it; its address."""
        from chrombpnet_core.report import render_catalogue

        root = self._store.url.rstrip("/") + "/"
        rows = [asdict(entry) | {"report": entry.report.removeprefix(root)} for entry in self.read().values()]
        return place_files({}, {PAGE: render_catalogue(rows)}, self._store.url)[-1]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a lock beside a local catalogue; a remote one has preconditions."""
        if not self._store.local:
            yield
            return
        folder = Path(self._store.url)
        with locked(folder / f".{CATALOGUE}.lock"):
            yield


def _encoded(entries: dict[str, Entry]) -> bytes:
    rows = [asdict(entries[name]) | {"files": list(entries[name].files.items())} for name in sorted(entries)]
    into = io.BytesIO()
    table = pa.Table.from_pylist(rows, _SCHEMA)
    table = table.replace_schema_metadata({_SEAL: _digest(table.to_pylist())})
    pq.write_table(table, into, compression="zstd", write_page_checksum=True)
    return into.getvalue()


_SEAL = b"sha256"


def _digest(rows: list[dict[str, Any]]) -> bytes:
    return hashlib.sha256(json.dumps(rows, sort_keys=True, default=str).encode()).hexdigest().encode()


def outcome(entry: Entry, store: str, run_state: str = "", message: str = "", price: float | None = None) -> Entry | None:
    """Find out what has become of a started data set.

    Parameters
    ----------
    entry
        Its entry.
    store
        Where its steps are.
    run_state
        State of its run in Prefect, such as ``RUNNING`` or ``FAILED``; empty where none is known.
    message
        The state's message.
    price
        Of an hour of a GPU.

    Returns
    -------
    Entry or None
        The entry as it is to be now; None where the data set has not ended and no process runs it.
    """
    from chrombpnet_core.report import FOLDS_HTML, FOLDS_JSON

    active = run_state not in ("", "COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    run = run_id(entry.output)
    if active or (not run_state and any(map(is_running, parts_of(store, run).values()))):
        return entry
    place = Store(entry.output)
    found = place.read_json(FOLDS_JSON)
    if found is not None:
        medians = {key: found.get("metrics", {}).get(key, {}).get("median") for key in METRICS}
        hours = gpu_hours(store, run)
        return replace(
            entry,
            **medians,
            state="done",
            reason="",
            report=place.uri(FOLDS_HTML),
            gpu_hours=hours,
            cost=None if hours is None or price is None else round(hours * price, 2),
            ended=entry.ended or now(),
        )
    if run_state:
        why = " ".join((message or run_state.lower()).split())
        return replace(
            entry,
            state="failed",
            reason=why if run_state != "COMPLETED" else "it ended without a report",
            ended=entry.ended or now(),
        )
    return None


def gpu_hours(store: str, run: str) -> float | None:
    """Add up the hours that GPUs were held by the steps of a run.

    Parameters
    ----------
    store
        Where its steps are.
    run
        Its name in the store.

    Returns
    -------
    float or None
        None where no training tells its device.
    """
    place, seconds, number = Store(store), {}, None
    for record in parts_of(store, run).values():
        for step in record.get("steps", {}).values():
            name = step.get("step", "")
            if step.get("state") != "done" or name not in _ON_DEVICE:
                continue
            seconds[name, step["key"]] = step.get("seconds") or 0.0
            if number is None and name.startswith("train_"):
                manifest = place.read_json(name, step["key"], MANIFEST) or {}
                number = manifest.get("facts", {}).get("gpus")
    return None if number is None else round(number * sum(seconds.values()) / 3600, 3)
