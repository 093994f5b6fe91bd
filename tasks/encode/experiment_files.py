"""Which files of an ENCODE experiment make a data set, and why others do not.

An experiment comes as the portal's JSON tells it, with its files embedded. Paired-end reads are the filtered ``alignments``;
single-end reads the ``unfiltered alignments``, filtered by the rule of ENCODE's own ChromBPNet runs (``-F 780 -q 30``). All
replicates of one assembly are merged, none twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["ASSAYS", "FIELDS", "ExperimentFiles", "PortalFile", "Refused", "Rules", "changed_files", "choose_files"]

ASSAYS = {"ATAC-seq": "ATAC", "DNase-seq": "DNASE"}
"""The portal's title of an assay → ours."""

FIELDS = (
    "accession",
    "status",
    "assay_title",
    "date_released",
    "biosample_summary",
    "perturbed",
    "audit",
    "default_analysis",
    *(
        f"files.{name}"
        for name in (
            "accession",
            "status",
            "file_format",
            "file_format_type",
            "output_type",
            "assembly",
            "md5sum",
            "file_size",
            "href",
            "cloud_metadata.url",
            "biological_replicates",
            "technical_replicates",
            "mapped_run_type",
            "preferred_default",
            "no_file_available",
            "restricted",
            "date_created",
            "analyses.@id",
        )
    ),
    "revoked_files.accession",
)
"""What must be asked for of an experiment."""

_READS = {"paired-ended": "alignments", "single-ended": "unfiltered alignments"}
_PEAKS = ("pseudoreplicated peaks", "IDR thresholded peaks", "peaks")  # the first that there is
_SINGLE_END = {"min_mapq": 30, "exclude_flags": 780}

Json = Mapping[str, Any]


class Refused(Exception):
    """An experiment that makes no data set; the message says why."""


@dataclass(frozen=True)
class Rules:
    """What is asked of an experiment.

    Attributes
    ----------
    assembly
        Of its files, such as ``GRCh38``.
    perturbed
        ``exclude``, ``include`` or ``only`` experiments on treated or modified samples.
    refused_audits
        Levels of audits that are refused: of ``ERROR``, ``NOT_COMPLIANT``, ``WARNING``.
    allowed_audits
        Categories that are not, whatever their level, such as ``extremely low read depth``.
    """

    assembly: str = "GRCh38"
    perturbed: str = "exclude"
    refused_audits: Sequence[str] = ("ERROR",)
    allowed_audits: Sequence[str] = ()


@dataclass(frozen=True)
class PortalFile:
    """A file of the portal: accession, MD5 (hexadecimal), size in bytes, path on the portal, address in a bucket if told."""

    accession: str
    md5: str
    size: int
    href: str
    url: str = ""


@dataclass(frozen=True)
class ExperimentFiles:
    """The files of a data set: reads (BAM, one or more, to be merged), peaks (narrowPeak), how the reads are filtered."""

    assay: str
    reads: tuple[PortalFile, ...]
    peaks: PortalFile
    filters: Mapping[str, int]

    @property
    def files(self) -> tuple[PortalFile, ...]:
        """All of them."""
        return (*self.reads, self.peaks)

    @property
    def digests(self) -> dict[str, str]:
        """Accession → MD5, sorted."""
        return {each.accession: each.md5 for each in sorted(self.files, key=lambda file: file.accession)}


def choose_files(experiment: Json, rules: Rules) -> ExperimentFiles:
    """Choose the files of an experiment that make a data set.

    Parameters
    ----------
    experiment
        As the portal tells it, its files embedded.
    rules
        What is asked of it.

    Returns
    -------
    ExperimentFiles
        Reads and peaks, and how the reads are filtered.

    Raises
    ------
    Refused
        Where it is not to be used, or has not what it takes.
    """
    _check_experiment(experiment, rules)
    files = [file for file in experiment.get("files", []) if file.get("assembly") == rules.assembly]
    if not files:
        raise Refused(f"no file of {rules.assembly}")
    reads, run_type = _reads(_of_default_analysis(experiment, files))
    replicates = {replicate for file in reads for replicate in file["biological_replicates"]}
    peaks = _peaks(_of_default_analysis(experiment, files), replicates)
    return ExperimentFiles(
        ASSAYS[experiment["assay_title"]],
        tuple(sorted(map(_checked, reads), key=lambda file: file.accession)),
        _checked(peaks),
        {} if run_type == "paired-ended" else dict(_SINGLE_END),
    )


def _check_experiment(experiment: Json, rules: Rules) -> None:
    if experiment.get("status") != "released":
        raise Refused(f"the experiment is {experiment.get('status', 'of unknown status')}")
    if experiment.get("assay_title") not in ASSAYS:
        raise Refused(f"the assay is {experiment.get('assay_title')}")
    perturbed = bool(experiment.get("perturbed"))
    if perturbed and rules.perturbed == "exclude":
        raise Refused("the sample is perturbed")
    if not perturbed and rules.perturbed == "only":
        raise Refused("the sample is not perturbed")
    audits = {
        f"{level}: {audit.get('category', 'unnamed')}"
        for level in rules.refused_audits
        for audit in experiment.get("audit", {}).get(level, [])
        if audit.get("category") not in rules.allowed_audits
    }
    if audits:
        raise Refused(f"audit {', '.join(sorted(audits))}")


def _of_default_analysis(experiment: Json, files: Sequence[Json]) -> Sequence[Json]:
    """Take the files of the default analysis where that has reads and peaks, else all: no replicate comes twice."""
    default = experiment.get("default_analysis")
    default = default.get("@id") if isinstance(default, Mapping) else default
    own = [
        file
        for file in files
        if default
        and default in [each.get("@id") if isinstance(each, Mapping) else each for each in file.get("analyses", [])]
    ]
    kinds = {file.get("output_type") for file in own if file.get("status") == "released"}
    return own if kinds & {*_READS.values()} and kinds & {*_PEAKS} else files


def _reads(files: Sequence[Json]) -> tuple[list[Json], str]:
    """One BAM for each replicate, and their run type."""
    found = [file for file in files if file.get("file_format") == "bam" and file.get("output_type") in _READS.values()]
    released = [file for file in found if file.get("status") == "released"]
    if not released:
        states = ", ".join(sorted({str(file.get("status")) for file in found}))
        raise Refused(f"the alignments are {states}" if found else "no alignments")
    types = {str(file.get("mapped_run_type")) for file in released}
    if not types <= _READS.keys():
        raise Refused("the alignments do not tell their run type")
    if len(types) > 1:
        raise Refused("single- and paired-ended reads are mixed")
    (run_type,) = types
    wanted = [file for file in released if file["output_type"] == _READS[run_type]]
    if not wanted:
        raise Refused(f"{run_type} reads without {_READS[run_type]}")
    return _one_each(wanted), run_type


def _one_each(files: Sequence[Json]) -> list[Json]:
    """Take the newest file for each set of replicates; sets that overlap would count reads twice."""
    newest: dict[tuple[str, ...], Json] = {}
    for file in sorted(files, key=lambda file: (file.get("date_created", ""), file["accession"])):
        if not file.get("biological_replicates"):
            raise Refused(f"{file['accession']} does not tell its replicate")
        newest[tuple(sorted(file.get("technical_replicates") or map(str, file["biological_replicates"])))] = file
    parts = [part for key in newest for part in key]
    if len(parts) > len(set(parts)):
        raise Refused("alignments of one replicate overlap")
    return list(newest.values())


def _peaks(files: Sequence[Json], replicates: set[int]) -> Json:
    """Take the narrowPeak file of the best kind: the portal's preferred one, else of most replicates, else the newest."""
    found = [
        file
        for file in files
        if file.get("file_format") == "bed"
        and file.get("file_format_type") == "narrowPeak"
        and file.get("output_type") in _PEAKS
    ]
    released = [file for file in found if file.get("status") == "released"]
    if not released:
        states = ", ".join(sorted({str(file.get("status")) for file in found}))
        raise Refused(f"the peaks are {states}" if found else "no peaks")
    best = min((file["output_type"] for file in released), key=_PEAKS.index)
    return max(
        (file for file in released if file["output_type"] == best),
        key=lambda file: (
            bool(file.get("preferred_default")),
            len(replicates & set(file.get("biological_replicates", []))),
            file.get("date_created", ""),
            file["accession"],
        ),
    )


def _checked(file: Json) -> PortalFile:
    """Make a :class:`PortalFile` of a file that can be had."""
    accession = file["accession"]
    if file.get("restricted"):
        raise Refused(f"{accession} is restricted")
    if file.get("no_file_available"):
        raise Refused(f"{accession} is not available")
    if not file.get("md5sum") or not file.get("file_size") or not file.get("href"):
        raise Refused(f"{accession} has no MD5, size or address")
    return PortalFile(
        accession,
        file["md5sum"].lower(),
        int(file["file_size"]),
        file["href"],
        (file.get("cloud_metadata") or {}).get("url", ""),
    )


def changed_files(
    before: Mapping[str, str], now: Mapping[str, str], experiment: Json, told: Mapping[str, str] | None = None
) -> str:
    """Say how the files of a data set differ from those it was made of.

    Parameters
    ----------
    before
        Accession → MD5 of those it was made of.
    now
        Accession → MD5 of those that would be chosen now.
    experiment
        As the portal has it now.
    told
        Accession → words for files that the experiment no longer names.

    Returns
    -------
    str
        In words; empty where they do not differ.
    """
    if before == now:
        return ""
    states = {file["accession"]: str(file.get("status")) for file in experiment.get("files", [])}
    states |= {file["accession"]: "revoked" for file in experiment.get("revoked_files", [])}
    lost = []
    for accession in sorted(before.keys() - now.keys()):
        state = (told or {}).get(accession) or states.get(accession, "gone")
        lost.append(f"{accession} is {'no longer chosen' if state == 'released' else state}")
    other = [
        f"{accession} has another MD5"
        for accession in sorted(before.keys() & now.keys())
        if before[accession] != now[accession]
    ]
    return "; ".join([*lost, *other, *(f"{accession} is new" for accession in sorted(now.keys() - before.keys()))])
