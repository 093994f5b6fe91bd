"""The flow that reprocesses ENCODE: which experiments are new or out of date, which are refused and why; some are started.

Everything it knows is in the catalogue (:mod:`tasks.encode.catalogue`), which any later run goes on with.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from prefect import flow

from chrombpnet_core.errors import InputError, Stopped
from flows.encode.prefect_tasks import find_deployment, find_experiments, look_at_runs, start_run
from flows.encode.request import EncodeRequest
from flows.environment import stoppable
from flows.spec import DatasetSpec, make_part, make_spec
from tasks.encode import (
    METRICS,
    Catalogue,
    Entry,
    ExperimentFiles,
    Portal,
    Refused,
    changed_files,
    choose_files,
    now,
    outcome,
)
from tasks.runs import reason_of
from tasks.storage import StorageError, require_place

__all__ = ["Summary", "dataset_content", "encode", "reprocess"]

log = logging.getLogger(__name__)

_OURS = ("id", "assay", "reads", "peaks", "output")  # keys of a data set that the portal decides
_NOT_SETTINGS = ("folds_at_once", "publish")  # that shape no result
_BROWSERS = {"GRCh38": "hg38", "hg19": "hg19", "mm10": "mm10", "mm9": "mm9"}
_FACTORS = {"ATAC": 0.5, "DNASE": 0.8}  # of the bias threshold, to begin with
_INTERRUPTED = "interrupted"  # reason of what was started and has neither ended nor anybody at it
_FAULTS = 3  # experiments whose files cannot be looked up, until the flow gives up
_EMPTY: dict[str, Any] = dict.fromkeys((*METRICS, "gpu_hours", "cost", "ended"))


@dataclass
class Summary:
    """What a run of the flow did: experiments by state, those it started or wrote, refusals by reason, the page."""

    states: dict[str, int] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    page: str = ""


@flow(name="encode", validate_parameters=False)
@stoppable
def encode(request: EncodeRequest | dict[str, Any]) -> Summary:
    """Look through the portal's experiments, bring the catalogue up to date, start the data sets that are due.

    Parameters
    ----------
    request
        What is asked.

    Returns
    -------
    Summary
        What was found and started.

    Raises
    ------
    InputError
        Where the request, the template or the portal's answer is not what it should be.
    """
    if isinstance(request, dict):
        request = make_part(EncodeRequest, request, "request")
    return reprocess(request, lambda task, *arguments: task(*arguments))


def reprocess(request: EncodeRequest, call: Callable[..., Any], write_to: str | None = None) -> Summary:
    """Do what :func:`encode` does, with another way to call tasks.

    Parameters
    ----------
    request
        What is asked.
    call
        Calls a task: as Prefect does, or as the function that it is.
    write_to
        A folder: the data sets that would be started are written there as YAML, and nothing else is changed.

    Returns
    -------
    Summary
        What was found and started.
    """
    settings = _settings(request)
    portal = Portal(request.contact, request.portal, request.buckets, request.rate, request.timeout)
    require_place(write_to or request.output, "data set files" if write_to else "results")
    if write_to is None and request.deployment:
        call(find_deployment, request.deployment)
    work = _Work(request, call, portal, Catalogue(request.output), importlib.metadata.version("chrombpnet-flows"), settings)
    before = work.catalogue.read()
    if write_to is None:
        before = work.catalogue.update(before, work.followed(before))
    found = call(find_experiments, portal, request.search, sorted(name for name, entry in before.items() if entry.attempt))
    judged = {each["accession"]: work.judged(before.get(each["accession"]), each) for each in found}
    choices = {name: choice for name, (_, choice) in judged.items() if choice is not None}
    entries = {name: entry for name, (entry, _) in judged.items()}
    entries = before | entries if write_to else work.catalogue.update(before, entries)
    started, refused = work.start(entries, choices, write_to)
    entries, page = (entries | refused, "") if write_to else (work.catalogue.read(), work.catalogue.write_page())
    return Summary(
        dict(Counter(entry.state for entry in entries.values())),
        started,
        {name: entry.reason for name, entry in sorted(entries.items()) if entry.state == "refused"},
        page,
    )


@dataclass(frozen=True)
class _Work:
    """What the parts of the flow share."""

    request: EncodeRequest
    call: Callable[..., Any]
    portal: Portal
    catalogue: Catalogue
    code: str
    settings: str

    def followed(self, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Those that were started, with what became of them."""
        started = {name: entry for name, entry in entries.items() if entry.state == "started"}
        runs = [entry.run for entry in started.values() if entry.run]
        states = self.call(look_at_runs, runs) if runs else {}
        found = {}
        for name, entry in started.items():
            state, message = states.get(entry.run, ("", ""))
            ended = outcome(entry, self.request.store, state, message, self.request.price)
            found[name] = ended or replace(entry, state="stale", reason=_INTERRUPTED, run="", link="")
            if found[name].state != "started":
                log.info("%s: %s %s", name, found[name].state, found[name].reason)
        return found

    def judged(self, before: Entry | None, experiment: Mapping[str, Any]) -> tuple[Entry, ExperimentFiles | None]:
        """Make the entry of an experiment as the portal has it now, and choose its files where it is not refused."""
        entry = replace(
            before or Entry(experiment["accession"], seen=now()),
            assay=experiment.get("assay_title", ""),
            biosample=experiment.get("biosample_summary", ""),
            released=experiment.get("date_released", ""),
        )
        if entry.state == "started":  # looked at again when it has ended
            return entry, None
        try:
            choice = choose_files(experiment, self.request.rules)
        except Refused as refusal:
            lost = f"; {self._differs(entry, {}, experiment)}" if entry.attempt else ""
            return replace(entry, state="refused", reason=f"{refusal}{lost}"), None
        if not entry.attempt:
            return self._fresh(replace(entry, state="new", reason=""), choice), choice
        if entry.key == self.key(choice):
            as_it_was = "done" if entry.report else "failed"
            kept = entry.state == as_it_was or entry.reason == _INTERRUPTED
            return (entry if kept else replace(entry, state=as_it_was, reason="")), choice
        return replace(entry, state="stale", reason=self._differs(entry, choice.digests, experiment)), choice

    def _differs(self, entry: Entry, files: dict[str, str], experiment: Mapping[str, Any]) -> str:
        """In words, why what was made is out of date; files that the experiment no longer names are asked for one by one."""
        named = {file["accession"] for kind in ("files", "revoked_files") for file in experiment.get(kind, [])}
        told = {name: self.portal.state_of_file(name) for name in sorted(entry.files.keys() - files.keys() - named)}
        if not files:
            lost = {
                name: digest
                for name, digest in entry.files.items()
                if told.get(name)
                or name
                not in {file["accession"] for file in experiment.get("files", []) if file.get("status") == "released"}
            }
            return changed_files(lost, {}, experiment, told) or "it was done before"
        parts = [
            changed_files(entry.files, files, experiment, told),
            f"made by version {entry.code}, now {self.code}" if entry.code != self.code else "",
            "made with other settings" if entry.settings != self.settings else "",
        ]
        return "; ".join(filter(None, parts))

    def key(self, choice: ExperimentFiles) -> str:
        """Digest of all that shapes a data set's results."""
        return _digest([choice.digests, self.code, self.settings])

    def _fresh(self, entry: Entry, choice: ExperimentFiles) -> Entry:
        """Make the entry of a data set that is to be made of these files."""
        key = self.key(choice)
        return replace(
            entry,
            **_EMPTY,
            files=choice.digests,
            code=self.code,
            settings=self.settings,
            key=key,
            report="",
            output=f"{self.request.output.rstrip('/')}/{entry.accession}/{key}",
        )

    def due(self, entries: Mapping[str, Entry], choices: Mapping[str, ExperimentFiles]) -> list[Entry]:
        """List what is to be started: what was begun, what is out of date, then the rest, oldest release first."""
        states = ("stale", "failed", "new") if self.request.retry_failed else ("stale", "new")
        return sorted(
            (entries[name] for name in choices if entries[name].state in states),
            key=lambda entry: (entry.reason != _INTERRUPTED, states.index(entry.state), entry.released, entry.accession),
        )

    def start(
        self, entries: Mapping[str, Entry], choices: Mapping[str, ExperimentFiles], write_to: str | None
    ) -> tuple[list[str], dict[str, Entry]]:
        """Start what is due, at most so many; or write it to a folder. What was started, and what was refused only now."""
        started: list[str] = []
        refused: dict[str, Entry] = {}
        faults = 0
        for entry in self.due(entries, choices):
            if len(started) >= self.request.start:
                break
            name, choice = entry.accession, choices[entry.accession]
            try:
                addresses = {file.accession: self.portal.address_of(file) for file in choice.files}
                content = dataset_content(self.request, name, choice, addresses, self.key(choice))
            except Refused as refusal:
                log.info("%s: refused: %s", name, refusal)
                refused[name] = replace(entry, state="refused", reason=str(refusal))
                if write_to is None:
                    self.catalogue.update(entries, {name: refused[name]})
                continue
            except StorageError as error:
                log.warning("%s: not started: %s", name, error)
                faults += 1
                if faults >= _FAULTS:
                    raise
                continue
            if write_to is not None:
                _write(content, Path(write_to) / f"{name}.yaml")
            elif not self._begin(entry, choice, make_spec(content, name)):
                continue
            started.append(name)
        return started, refused

    def _begin(self, entry: Entry, choice: ExperimentFiles, spec: DatasetSpec) -> bool:
        """Start one data set, unless another flow has, or it is there already."""
        fresh = self._fresh(entry, choice)
        if not entry.attempt and (found := outcome(fresh, self.request.store)) is not None and found.state == "done":
            self.catalogue.put(found)  # of a catalogue that was lost
            return False
        # The same attempt goes on where it was interrupted: a run that Prefect has is found by its key.
        attempt = 1 if entry.key != fresh.key else entry.attempt + (entry.reason != _INTERRUPTED)
        fresh = replace(fresh, state="started", run="", link="", started=now(), attempt=attempt)
        stands = self.catalogue.change(lambda rows: {entry.accession: fresh} if rows.get(entry.accession) == entry else {})
        if stands.get(entry.accession) != fresh:
            log.info("%s: another flow is at it", entry.accession)
            return False
        log.info("%s: %s", entry.accession, f"started again: {fresh.reason}" if fresh.reason else "started")
        if self.request.deployment:
            run, link = self.call(
                start_run,
                self.request.deployment,
                spec.model_dump(mode="json"),
                self.request.store,
                self.request.fold_deployment,
                f"{fresh.accession}-{fresh.key}-{fresh.attempt}",
            )
            self.catalogue.put(replace(fresh, run=run, link=link))
        else:
            self.catalogue.put(self._here(fresh, spec))
        return True

    def _here(self, entry: Entry, spec: DatasetSpec) -> Entry:
        """Do a data set in this process."""
        from flows.dataset import dataset

        try:
            dataset(spec, self.request.store, self.request.fold_deployment)
        except Stopped:
            raise
        except Exception as error:
            log.error("%s: %s", entry.accession, reason_of(error))
            return replace(entry, state="failed", reason=reason_of(error), ended=now())
        ended = outcome(entry, self.request.store, "COMPLETED", price=self.request.price)
        return ended or entry


def dataset_content(
    request: EncodeRequest, accession: str, choice: ExperimentFiles, addresses: Mapping[str, str], key: str
) -> dict[str, Any]:
    """Write the data set file of an experiment: the template, and what the portal decides.

    Parameters
    ----------
    request
        What is asked; it has the template.
    accession
        Of the experiment.
    choice
        Its files.
    addresses
        Accession of a file → address.
    key
        Digest that names the folder of results.

    Returns
    -------
    dict
        Content of the YAML file.
    """
    content = dict(request.template)
    content.setdefault("assembly", _BROWSERS.get(request.assembly, request.assembly))
    content["bias"] = {"threshold_factor": _FACTORS[choice.assay]} | content.get("bias", {})
    if content.get("publish"):
        content["publish"] = f"{content['publish'].rstrip('/')}/{accession}"
    return {
        "id": accession,
        "assay": choice.assay,
        "reads": {"bam": [addresses[file.accession] for file in choice.reads], **choice.filters},
        "peaks": addresses[choice.peaks.accession],
        **content,
        "output": f"{request.output.rstrip('/')}/{accession}/{key}",
    }


def _settings(request: EncodeRequest) -> str:
    """Digest of the template, which is checked: its mistakes are told before the portal is asked."""
    for name in _OURS:
        if name in request.template:
            raise InputError(
                f"template: {name} is given",
                expected="only what all data sets share",
                remedy=f"leave {name} out: the portal decides it",
            )
    if not isinstance(request.template.get("bias", {}), dict) or not isinstance(request.template.get("publish", ""), str):
        raise InputError("template: bias or publish is not what it should be", remedy="see 'chrombpnet run --schema'")
    given = {"id": "template", "assay": "ATAC", "reads": {"bam": ["reads.bam"]}, "peaks": "peaks.bed", "output": "output"}
    checked = make_spec(given | request.template, "template").model_dump(mode="json")
    return _digest({name: value for name, value in checked.items() if name not in (*_OURS, *_NOT_SETTINGS)})


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _write(content: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
