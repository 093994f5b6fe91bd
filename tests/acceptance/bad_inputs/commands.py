"""The commands, what each reads, and the cases that follow: a mutated input, a bad number, or a bad place."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.acceptance.bad_inputs.mutations import MUTATIONS

__all__ = ["Case", "cases"]

SLOTS: dict[str, tuple[str, str, str]] = {
    "genome": ("genome.fa", "fasta", "peaks.narrowPeak bias.h5 sizes.tsv"),
    "genome_gz": ("genome.fa.gz", "gz", ""),
    "sizes": ("sizes.tsv", "sizes", "genome.fa bias.h5 fold.json"),
    "peaks": ("peaks.narrowPeak", "bed", "genome.fa sizes.tsv reads.bam bias.h5 insertions.bw fold.json variants.vcf"),
    "peaks_gz": ("peaks.narrowPeak.gz", "gz", ""),
    "nonpeaks": ("nonpeaks.bed", "bed", "genome.fa bias.h5"),
    "blacklist": ("blacklist.bed", "bed", "genome.fa bias.h5 reads.bam"),
    "genes": ("genes.bed", "bed", "genome.fa bias.h5"),
    "fold": ("fold.json", "json", "peaks.narrowPeak dataset.yaml bias.h5"),
    "aliases": ("aliases.tsv", "aliases", "genome.fa bias.h5"),
    "fragments": ("fragments.tsv.gz", "gz", "reads.bam genome.fa insertions.bw tags.bed peaks.narrowPeak"),
    "fragments_text": ("fragments.tsv", "bed", "sizes.tsv fold.json reads.sam"),
    "tags": ("tags.bed", "bed", "reads.bam fragments.tsv genome.fa reads.sam"),
    "bam": ("reads.bam", "bam", "reads.sam fragments.tsv.gz bias.h5 genome.fa.gz"),
    "cram": ("reads.cram", "cram", ""),
    "bigwig": ("insertions.bw", "bigwig", "reads.bam fragments.tsv bias.h5"),
    "bias": ("bias.h5", "model", "nobias.h5 chrombpnet.h5 my.profile_scores.h5 modisco.h5 peaks.narrowPeak"),
    "main": ("chrombpnet.h5", "model", "nobias.h5 my.profile_scores.h5 modisco.h5"),
    "nobias": ("nobias.h5", "model", "my.profile_scores.h5 modisco.h5 genome.fa"),
    "contributions": ("my.profile_scores.h5", "h5", "bias.h5 modisco.h5 genome.fa"),
    "modisco": ("modisco.h5", "h5", "bias.h5 my.profile_scores.h5 motifs.meme"),
    "explained": ("explained.bed", "bed", "genome.fa fold.json"),
    "meme": ("motifs.meme", "meme", "genome.fa bias.h5 motifs.tsv"),
    "motifs": ("motifs.tsv", "motifs", "genome.fa bias.h5"),
    "variants": ("variants.tsv", "tsv", "genome.fa bias.h5 reads.bam"),
    "vcf": ("variants.vcf", "vcf", "reads.bam"),
    "snps": ("snps.tsv", "tsv", "genome.fa bias.h5"),
    "dataset": ("dataset.yaml", "yaml", "genome.fa bias.h5 peaks.narrowPeak"),
    "template": ("template.yaml", "yaml", "genome.fa bias.h5"),
    "encode": ("encode.yaml", "yaml", "genome.fa bias.h5"),
    "recorded": ("dataset.yaml", "yaml", "genome.fa bias.h5"),
    "token": ("token.txt", "token", ""),
}
"""Slot of a command → valid file, its format, files of other kinds."""

_SIZES = "-il 600 -ol 200 -bs 16 --device cpu --store {store}"
_GENOME, _REGIONS = "-g {genome} -c {sizes}", "-p {peaks} -n {nonpeaks} -fl {fold}"
_TRAIN = f"{_GENOME} {_REGIONS} -o {{out}}/run -d ATAC {_SIZES} -e 1 -fil 4 -dil 2 -ps 4 -ms -4"
_QC = f"{_GENOME} {_REGIONS} -o {{out}}/run -d ATAC -bw {{bigwig}} -bs 16 --explain 0 --device cpu --store {{store}}"
_APPLY = f"{_GENOME} -r {{peaks}} --device cpu --store {{store}}"

COMMANDS = {
    "prep nonpeaks": "prep nonpeaks -g {genome} -c {sizes} -p {peaks} -fl {fold} -br {blacklist} --alias {aliases} -il 200 "
    "-st 100 -o {out}/my --store {store}",
    "prep splits": "prep splits -c {sizes} -tcr chrB -vcr chrC -op {out}/fold",
    "prep folds": "prep folds -c {sizes} -p {peaks} -k 3 -op {out}/folds",
    "pipeline": f"pipeline -ifrag {{fragments}} -b {{bias}} --explain 1 --motifs {{meme}} {_TRAIN}",
    "pipeline --dry-run": f"pipeline -ifrag {{fragments_text}} -b {{bias}} {_TRAIN} --dry-run",
    "train": f"train -ibam {{bam}} -b {{bias}} {_TRAIN}",
    "train (CRAM)": f"train -ibam {{cram}} -b {{bias}} {_TRAIN}",
    "bias pipeline": f"bias pipeline -itag {{tags}} -b 0.5 --explain 0 {_TRAIN}",
    "bias train": f"bias train -ibw {{bigwig}} -b 0.5 {_TRAIN.replace('-ps 4 -ms -4', '')}",
    "qc": f"qc -cm {{main}} -cmb {{nobias}} {_QC}",
    "bias qc": f"bias qc -bm {{bias}} {_QC}",
    "pred_bw": f"pred_bw -cmb {{nobias}} -bm {{bias}} -bw {{bigwig}} -op {{out}}/my {_APPLY}",
    "pred_bw (gzip)": "pred_bw -cmb {nobias} -g {genome_gz} -c {sizes} -r {peaks_gz} -op {out}/my --store {store}",
    "contribs_bw": f"contribs_bw -m {{nobias}} -op {{out}}/my {_APPLY}",
    "footprints": "footprints -m {nobias} -g {genome} -r {nonpeaks} -fl {fold} -pwm_f {motifs} -op {out}/my --device cpu "
    "--store {store}",
    "modisco_motifs": "modisco_motifs -i {contributions} --motifs {meme} -n 50 -w 100 -op {out}/my --store {store}",
    "motif_hits": "motif_hits -i {contributions} -r {explained} -m {modisco} -op {out}/my --store {store}",
    "variants": "variants -l {variants} -g {genome} -c {sizes} -m {nobias} -p {peaks} --genes {genes} --top 0 -op {out}/my "
    "--device cpu --store {store}",
    "variants (VCF)": "variants -l {vcf} -g {genome} -m {nobias} --top 0 -op {out}/my --device cpu --store {store}",
    "snp_score": "snp_score -snps {snps} -m {nobias} -g {genome} -op {out}/my --device cpu --store {store}",
    "check": "check -g {genome} -c {sizes} -ifrag {fragments_text} -p {peaks} -n {nonpeaks} -br {blacklist} -fl {fold} "
    "-b {bias} --motifs {meme} --alias {aliases} -il 600 -o {out}/run --store {store}",
    "check (BAM)": "check -g {genome_gz} -c {sizes} -ibam {bam} -il 600 --store {store}",
    "check (bigWig)": "check -g {genome} -c {sizes} -ibw {bigwig} -il 600 --store {store}",
    "check (data set)": "check {dataset} --device cpu --store {store}",
    "run": "run {dataset} --device cpu --store {store}",
    "run --dry-run": "run {dataset} --device cpu --store {store} --dry-run",
    "encode run": "encode run --template {template} --contact a@b.c -o {out}/run --portal http://127.0.0.1:9 --dry-run "
    "{out}/dry --store {store}",
    "deploy": "deploy --encode {encode} --store gs://bucket/store --api http://127.0.0.1:9/api",
    "bridge": "bridge gs://bucket/drops --token-file {token} --api http://127.0.0.1:9/api",
    "status": "status {recorded}",
    "resume": "resume {recorded} --device cpu",
    "clean": "clean {recorded}",
    "verify": "verify {recorded}",
    "encode list": "encode list {recorded}",
    "demo": "demo -o {out}/run --store {store}",
    "view": "view {recorded} --no-open",
    "index": "index {out}",
    "init": "init {out} -o {out}/dataset.yaml",
    "completion": "completion bash",
    "doctor": "doctor --store {store}",
}
"""Name in the table → words; ``{slot}`` is a file, ``{out}`` and ``{store}`` are folders."""

NUMBERS = {
    "prep nonpeaks": "-il -st -npr -s",
    "prep folds": "-k -s",
    "pipeline": "-il -ol -bs -s -e -es -l -fil -dil -j -sr -oth --gpus --threads -ps --num-samples --min-mapq --explain",
    "bias train": "-b -il -ol -bs -s -e -l -fil -oth",
    "pred_bw": "-bs -s --threads",
    "contribs_bw": "-s --threads",
    "footprints": "-bs --ylim",
    "modisco_motifs": "-n -l -w -s",
    "variants": "-mp -t -n -s --top",
    "snp_score": "-bs",
    "check": "-il",
    "run": "--fold --folds-at-once --threads",
    "demo": "-s --threads",
    "bridge": "--port",
}
_BAD_NUMBERS = ("-7", "x", "nan", "1e999", str(2**70), "", "9" * 5000)

_PLACES = {"below a file": "{valid}/sizes.tsv/deep", "where nobody writes": "/proc/nowhere/x", "no scheme": "qqq://x/y"}
_INPUT_IS_OUTPUT = "{valid}/peaks.narrowPeak"
_LENIENT = {
    "blacklist": {"another genome"},
    "genes": {"another genome"},
    "explained": {"another genome"},
    "modisco": {
        "dataset missing",
        "other shape",
        "text for numbers",
        "complex numbers",
        "declared size",
        "group for dataset",
    },
}
"""Slot → mutations that it may read all the same: hits lie where the table says, whatever the genome is called, and are
sought by two data sets of each pattern."""

_LONG = ("pipeline", "train", "train (CRAM)", "bias pipeline", "bias train", "qc", "bias qc", "run", "resume")
"""Commands that take minutes with what may be read all the same: they get what must be refused."""


@dataclass
class Case:
    """One bad input: words of the command, and what must be said of it.

    ``names``: a part of the message, such as the file's name. ``wrong``: it must be refused.
    """

    command: str
    kind: str
    words: list[str]
    folder: str
    names: str = ""
    wrong: bool = True
    exit_status: tuple[int, ...] = (2,)
    extra: dict[str, str] = field(default_factory=dict)


def cases(valid: Path, folder: Path, number: int, only: str = "", seed: int = 16) -> Iterator[Case]:
    """Draw cases, as evenly over commands and kinds as they allow, and write their bad files when they are asked for.

    Parameters
    ----------
    valid
        Folder of the valid inputs.
    folder
        Folder for the cases.
    number
        How many, 0 for all there are.
    only
        Regular expression that ``command | kind | slot or flag`` must match.
    seed
        Of the choice and of the mutations.
    """
    chance = random.Random(seed)
    every = [*_file_plans(), *_number_plans(), *_place_plans()]
    plans = [plan for plan in every if re.search(only, f"{plan[0]} | {plan[2]} | {plan[1]}")]
    chance.shuffle(plans)
    drawn: dict[str, int] = {}

    def weight(plan: tuple[str, str, str, str]) -> int:
        """Rank within its command and kind: first ones come first."""
        for key in (plan[0], plan[0] + "|" + plan[2]):
            drawn[key] = drawn.get(key, 0) + 1
        return drawn[plan[0]] + 8 * (drawn[plan[0] + "|" + plan[2]] - 1)

    ranked = sorted((weight(plan), order) for order, plan in enumerate(plans))
    chosen = [plans[order] for _, order in ranked[: number or None]]
    for index, (command, what, kind, value) in enumerate(sorted(chosen)):
        yield _make(valid, folder / f"{index:04d}", command, what, kind, value, random.Random(f"{seed} {index}"))


def _slots_of(command: str) -> list[str]:
    return [slot for slot in SLOTS if f"{{{slot}}}" in COMMANDS[command]]


def _file_plans() -> Iterator[tuple[str, str, str, str]]:
    for command in COMMANDS:
        for slot in _slots_of(command):
            _, format_, others = SLOTS[slot]
            for index, mutation in enumerate(MUTATIONS):
                if not mutation.wrong and command in _LONG:
                    continue
                if format_ in mutation.formats or (format_ == "token" and mutation.kind in ("missing", "folder", "empty")):
                    yield command, slot, mutation.kind, str(index)
            for other in others.split():
                yield command, slot, "wrong kind", other


def _number_plans() -> Iterator[tuple[str, str, str, str]]:
    for command, flags in NUMBERS.items():
        for flag in flags.split():
            for value in _BAD_NUMBERS:
                yield command, flag, "number", value


def _place_plans() -> Iterator[tuple[str, str, str, str]]:
    for command, words in COMMANDS.items():
        for place in ("out", "store"):
            if f"{{{place}}}" in words and command != "index":
                for name, value in _PLACES.items():
                    yield command, place, f"place {name}", value
        if "{out}" in words and "{peaks}" in words:
            yield command, "out", "place that is an input", _INPUT_IS_OUTPUT


def _make(valid: Path, folder: Path, command: str, what: str, kind: str, value: str, chance: random.Random) -> Case:
    """Write the case's files; its folder has ``in``, ``out``, ``store`` and ``tmp``."""
    for name in ("in", "out", "tmp"):
        (folder / name).mkdir(parents=True)
    files = {slot: valid / SLOTS[slot][0] for slot in _slots_of(command)}
    places = {"out": str(folder / "out"), "store": str(folder / "store")}
    names, wrong, extra = "", True, []
    if what in SLOTS:
        bad = folder / "in" / f"bad_{SLOTS[what][0]}"
        names = (
            "" if (what, kind) == ("sizes", "unknown chromosome in a line") else bad.name
        )  # then peaks lie on another one
        if kind == "wrong kind":
            shutil.copyfile(valid / value, bad)
        else:
            mutation = MUTATIONS[int(value)]
            wrong = mutation.wrong and kind not in _LENIENT.get(what, ())
            mutation.write(files[what], bad, chance)
        files[what] = bad
    elif kind == "number":
        extra = [f"{what}={value}"]
    else:
        places[what] = value.format(valid=valid)
    if "dataset" in files and what != "dataset":
        spec = yaml.safe_load((valid / "dataset.yaml").read_text()) | {"output": places["out"]}
        files["dataset"] = folder / "in" / "dataset.yaml"
        files["dataset"].write_text(yaml.safe_dump(spec))
    words = [word.format(**files, **places) for word in COMMANDS[command].split()] + extra
    statuses = (1, 2) if command in ("doctor", "encode run", "deploy", "bridge", "encode list") else (2,)
    return Case(command, kind, words, str(folder), names, wrong, statuses)
