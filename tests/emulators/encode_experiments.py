"""Experiments as the ENCODE portal tells them, drawn from a seed, and what should become of each."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.emulators.portal import Bucket, PortalSite

Json = dict[str, Any]
ALLOWED = "low spot score"
"""The category of audits that the requests of the tests allow."""


@dataclass
class Wanted:
    """What should become of an experiment: its files by accession, or words of the refusal."""

    kind: str
    reads: list[str] = field(default_factory=list)
    peaks: str = ""
    single: bool = False
    reason: str = ""


class Maker:
    """Adds experiments to a portal.

    Parameters
    ----------
    portal, bucket
        Where they are told, and where their files lie.
    foreign
        Address of a host that is none of theirs.
    """

    def __init__(self, portal: PortalSite, bucket: Bucket, foreign: str, seed: int) -> None:
        self.portal, self.bucket, self.foreign = portal, bucket, foreign
        self._rng, self._number = random.Random(seed), 0
        self.wanted: dict[str, Wanted] = {}

    def make(self, count: int) -> dict[str, Wanted]:
        """``count`` experiments of all kinds in turn, in an order of chance; what is wanted of each."""
        kinds = [self.KINDS[i % len(self.KINDS)] for i in range(count)]
        self._rng.shuffle(kinds)
        for kind in kinds:
            self.one(kind)
        return self.wanted

    def one(self, kind: str) -> str:
        """An experiment of a kind; its accession."""
        self._number += 1
        accession = f"ENCSR{self._number:03d}" + "".join(self._rng.choices("ABCDEFGHJKLMN", k=3))
        rng = self._rng
        experiment = {
            "accession": accession,
            "status": "released",
            "assay_title": rng.choice(["ATAC-seq", "DNase-seq"]),
            "date_released": f"20{rng.randint(18, 26)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
            "biosample_summary": rng.choice(["Homo sapiens K562", "Homo sapiens heart, female adult (53 years)"]),
            "biosample_ontology": {"term_name": rng.choice(["K562", "heart"])},
            "perturbed": False,
            "audit": {"WARNING": [{"category": "moderate library complexity"}]},
            "original_files": [],
        }
        self.portal.experiments[accession] = experiment
        wanted = self.wanted[accession] = Wanted(kind)
        self._build(kind, experiment, wanted)
        rng.shuffle(experiment["original_files"])
        return accession

    def file(self, experiment: Json, **told: Any) -> Json:
        """Add a file; its content is its accession."""
        self._number += 1
        accession = f"ENCFF{self._number:03d}" + "".join(self._rng.choices("ABCDEFGHJKLMN", k=3))
        data = f"content of {accession}".encode()
        ending = "bam" if told.get("file_format") == "bam" else "bed.gz"
        path = f"/2026/01/01/{accession}.{ending}"
        self.bucket.objects[path] = data
        file = {
            "accession": accession,
            "status": "released",
            "assembly": "GRCh38",
            "file_size": len(data),
            "md5sum": hashlib.md5(data, usedforsecurity=False).hexdigest(),
            "date_created": f"2026-01-{self._number % 28 + 1:02d}",
            "href": f"/files/{accession}/@@download/{accession}.{ending}",
            "cloud_metadata": {"url": self.bucket.url + path},
            "analyses": [],
            "biological_replicates": [1],
        } | told
        self.portal.locations[accession] = f"{self.bucket.url}{path}?X-Amz-Signature=secret"
        experiment["original_files"].append({name: value for name, value in file.items() if value is not None})
        return experiment["original_files"][-1]

    def bam(self, experiment: Json, replicate: int = 1, **told: Any) -> Json:
        """Filtered paired-end alignments of a replicate."""
        return self.file(
            experiment,
            **{
                "file_format": "bam",
                "output_type": "alignments",
                "mapped_run_type": "paired-ended",
                "biological_replicates": [replicate],
                "technical_replicates": [f"{replicate}_1"],
            }
            | told,
        )

    def bed(self, experiment: Json, **told: Any) -> Json:
        """Peaks."""
        return self.file(
            experiment,
            **{"file_format": "bed", "file_format_type": "narrowPeak", "output_type": "pseudoreplicated peaks"} | told,
        )

    def _build(self, kind: str, experiment: Json, wanted: Wanted) -> None:
        self.bam(experiment, assembly="hg19")
        self.file(experiment, file_format="bigWig", output_type="fold change over control")
        build: Callable[[Json, Wanted], None] | None = getattr(self, f"_{kind}", None)
        if build is not None:
            build(experiment, wanted)
            return
        bam, bed = self.bam(experiment), self.bed(experiment)
        wanted.reads, wanted.peaks = [bam["accession"]], bed["accession"]
        change, words = self.CHANGES[kind]
        size = bam["file_size"]
        change(self, experiment, bam, bed)
        wanted.reason = words.format(bam=bam["accession"], bed=bed["accession"], foreign=self.foreign, size=size)
        if wanted.reason:
            wanted.reads, wanted.peaks = [], ""

    # --- those that are to be done -----------------------------------------------------------------------------------

    def _plain(self, experiment: Json, wanted: Wanted) -> None:
        wanted.reads = [self.bam(experiment)["accession"]]
        wanted.peaks = self.bed(experiment)["accession"]

    def _replicates(self, experiment: Json, wanted: Wanted) -> None:
        """Three to merge; unfiltered ones beside them; peaks of all kinds, and of all replicates."""
        for replicate in (1, 2, 3):
            wanted.reads.append(self.bam(experiment, replicate)["accession"])
            self.bam(experiment, replicate, output_type="unfiltered alignments")
        self.bed(experiment, output_type="IDR thresholded peaks", preferred_default=True, biological_replicates=[1, 2, 3])
        self.bed(experiment, biological_replicates=[1])
        wanted.peaks = self.bed(experiment, biological_replicates=[1, 2, 3])["accession"]
        self.bed(experiment, file_format_type="bed3+", biological_replicates=[1, 2, 3])

    def _single_end(self, experiment: Json, wanted: Wanted) -> None:
        wanted.single = True
        for replicate in (1, 2):
            self.bam(experiment, replicate, mapped_run_type="single-ended")
            wanted.reads.append(
                self.bam(experiment, replicate, mapped_run_type="single-ended", output_type="unfiltered alignments")[
                    "accession"
                ]
            )
        wanted.peaks = self.bed(experiment, output_type="peaks")["accession"]

    def _two_analyses(self, experiment: Json, wanted: Wanted) -> None:
        """An older analysis of the same reads must not be merged with the default one."""
        old, new = {"@id": "/analyses/OLD/"}, {"@id": "/analyses/NEW/"}
        experiment["default_analysis"] = "/analyses/NEW/"
        for replicate in (1, 2):
            self.bam(experiment, replicate, analyses=[old], date_created="2026-06-01")
            wanted.reads.append(self.bam(experiment, replicate, analyses=[new])["accession"])
        self.bed(experiment, analyses=[old], preferred_default=True)
        wanted.peaks = self.bed(experiment, analyses=[new], output_type="IDR thresholded peaks")["accession"]

    def _newest(self, experiment: Json, wanted: Wanted) -> None:
        """Without a default analysis the newer of two files of a replicate counts; revoked ones never."""
        self.bam(experiment, date_created="2024-01-01")
        wanted.reads = [self.bam(experiment, date_created="2025-01-01")["accession"]]
        self.bam(experiment, date_created="2026-01-01", status="revoked")
        self.bed(experiment)
        wanted.peaks = self.bed(experiment, preferred_default=True)["accession"]

    def _by_redirect(self, experiment: Json, wanted: Wanted) -> None:
        wanted.reads = [self.bam(experiment, cloud_metadata=None)["accession"]]
        wanted.peaks = self.bed(experiment)["accession"]

    def _assembly(self, experiment: Json, wanted: Wanted) -> None:
        """The search finds it by a file that is not released yet."""
        for file in experiment["original_files"]:
            file["assembly"] = "hg19"
        self.bam(experiment, status="in progress")
        wanted.reason = "no file of GRCh38"

    # --- one change each to an experiment that would be done ---------------------------------------------------------

    def _location(self, bam: Json, address: str) -> None:
        del bam["cloud_metadata"]
        self.portal.locations[bam["accession"]] = address

    CHANGES: ClassVar[dict[str, tuple[Callable[..., Any], str]]] = {
        "audit_allowed": (lambda _, each, bam, bed: each["audit"].update(ERROR=[{"category": ALLOWED}]), ""),
        "audit": (
            lambda _, each, bam, bed: each["audit"].update(
                ERROR=[{"category": "extremely low read depth"}, {"category": ALLOWED}]
            ),
            "audit ERROR: extremely low read depth",
        ),
        "perturbed": (lambda _, each, bam, bed: each.update(perturbed=True), "the sample is perturbed"),
        "no_alignments": (lambda _, each, bam, bed: each["original_files"].remove(bam), "no alignments"),
        "archived": (lambda _, each, bam, bed: bam.update(status="archived"), "the alignments are archived"),
        "revoked": (lambda _, each, bam, bed: bam.update(status="revoked"), "no alignments"),
        "run_type": (lambda _, each, bam, bed: bam.pop("mapped_run_type"), "the alignments do not tell their run type"),
        "mixed": (
            lambda self, each, bam, bed: self.bam(each, 2, mapped_run_type="single-ended"),
            "single- and paired-ended reads are mixed",
        ),
        "filtered_only": (
            lambda _, each, bam, bed: bam.update(mapped_run_type="single-ended"),
            "single-ended reads without unfiltered alignments",
        ),
        "no_replicate": (
            lambda _, each, bam, bed: bam.update(biological_replicates=[]),
            "{bam} does not tell its replicate",
        ),
        "overlap": (
            lambda self, each, bam, bed: self.bam(each, 1, technical_replicates=["1_1", "1_2"]),
            "alignments of one replicate overlap",
        ),
        "no_peaks": (lambda _, each, bam, bed: each["original_files"].remove(bed), "no peaks"),
        "archived_peaks": (lambda _, each, bam, bed: bed.update(status="archived"), "the peaks are archived"),
        "restricted": (lambda _, each, bam, bed: bam.update(restricted=True), "{bam} is restricted"),
        "unavailable": (lambda _, each, bam, bed: bed.update(no_file_available=True), "{bed} is not available"),
        "no_md5": (lambda _, each, bam, bed: bed.pop("md5sum"), "{bed} has no MD5, size or address"),
        "elsewhere": (
            lambda self, each, bam, bed: bed.update(cloud_metadata={"url": f"{self.foreign}/x.bed.gz"}),
            "{bed} lies at {foreign}, which is not allowed",
        ),
        "redirect_elsewhere": (
            lambda self, each, bam, bed: self._location(bam, f"{self.foreign}/x.bam"),
            "{bam} lies at {foreign}, which is not allowed",
        ),
        "gone": (
            lambda self, each, bam, bed: self._location(bam, f"{self.bucket.url}/nothing/{bam['accession']}.bam"),
            "{bam} is not where the portal says: HTTP 404",
        ),
        "size": (
            lambda self, each, bam, bed: (
                self._location(bam, self.portal.locations[bam["accession"]]),
                bam.update(file_size=7),
            ),
            "{bam} has {size} bytes, not 7 as the portal says",
        ),
    }

    KINDS = ("plain", "replicates", "single_end", "two_analyses", "newest", "by_redirect", "assembly", *CHANGES)
