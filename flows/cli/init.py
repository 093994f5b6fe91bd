"""The command ``init``: a data set file, written from the files of a folder."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chrombpnet_core.errors import InputError, printable
from flows.cli.common import Subcommands, add_command

if TYPE_CHECKING:
    from flows.folder_contents import FolderContents

__all__ = ["add_commands"]

_MOST_FOLDS = 5
_SMALL_GENOME = 200_000_000  # bp
_READS = ("bam", "fragments", "single_end", "tagalign", "bigwig")  # which is taken where there are several
_WANTED = {
    "assay": "ATAC or DNASE",
    "reads": "one kind of reads: bam (BAM, CRAM), fragments, single_end, tagalign or bigwig (insertions per base)",
    "genome": "the genome as FASTA: plain, gzip or bgzip",
    "peaks": "peaks as narrowPeak, or BED",
    "folds": "the number of folds (2 or more), or a list of fold files",
}
_ADVICE = {
    "chrom_sizes": "names and lengths of the chromosomes to use; without it, all of the genome",
    "nonpeaks": "GC-matched negative regions; without them, they are selected for you",
    "blacklist": "regions that nonpeaks must not overlap",
}


def add_commands(commands: Subcommands) -> None:
    """Add ``init``."""
    add_init(add_command(commands, "init", init, "write a data set file for 'run' from the files in a folder"))


def add_init(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``init``."""
    parser.add_argument(
        "folder",
        nargs="?",
        default=".",
        metavar="FOLDER",
        help="folder with reads, genome, peaks and whatever else there is (default: the current folder)",
    )
    parser.add_argument(
        "-o", "--output", default="dataset.yaml", metavar="FILE", help="file to write (default dataset.yaml)"
    )
    parser.add_argument(
        "-d",
        "--data-type",
        choices=["ATAC", "DNASE"],
        help="assay: ATAC-seq or DNase-seq (default: told by the names of the files, else left for you to fill in)",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="name of the sample, the title of reports (default: the folder's name)"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def init(arguments: argparse.Namespace) -> None:
    """Look at the files, write what they are good for, and say what is left to fill in."""
    from chrombpnet_core.formats import written_whole
    from flows.folder_contents import look_into

    folder, file = Path(arguments.folder), Path(arguments.output)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder", expected="the folder with the files of a data set")
    if (file.exists() or file.is_symlink()) and not arguments.force:
        raise InputError(f"{file}: is there already", remedy="give another file with -o, or --force to write over it")
    if not file.absolute().parent.is_dir():
        raise InputError(f"{file}: its folder does not exist", remedy="make it, or give another file with -o")
    contents = look_into(folder)
    draft = _Draft(folder, file.absolute().parent)
    _draft(draft, contents, arguments.data_type, arguments.name)
    with written_whole(file) as partial:
        partial.write_text(draft.text(file), encoding="utf-8")
    for what, used in draft.used:
        print(f"{what:<12} {printable(used)}")
    for key, wanted in draft.missing.items():
        print(f"{'to fill in':<12} {key}: {wanted}")
    print(printable(f"written: {file}"))
    print(
        printable(
            f"next: {'fill in what is missing, then ' if draft.missing else ''}chrombpnet check {shlex.quote(str(file))}"
        )
    )


class _Draft:
    """The lines of a data set file, and what was found for it or is missing."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.base = folder, base
        self.lines: list[str] = []
        self.used: list[tuple[str, str]] = []
        self.missing: dict[str, str] = {}

    def path(self, path: Path) -> str:
        """Write a path as YAML, relative to the data set file where it lies below its folder."""
        whole = Path(os.path.abspath(path))
        return _quoted(str(whole.relative_to(self.base) if whole.is_relative_to(self.base) else whole))

    def say(self, *comments: str) -> None:
        """Begin a key with comments."""
        self.lines += ["", *(f"# {comment}" for comment in comments)]

    def put(self, *lines: str) -> None:
        self.lines += lines

    def lack(self, key: str, *candidates: str) -> None:
        """Name what a key needs; with candidates, of which one is to be taken."""
        wanted = _WANTED.get(key, "")
        if key in _WANTED:
            self.missing[key] = f"{wanted}{f': one of {len(candidates)}, see there' if candidates else ''}"
        if candidates:
            self.say(f"{len(candidates)} files may be this: take away one of the #{' (needed)' if key in _WANTED else ''}.")
            self.put(*(f"# {key}: {candidate}" for candidate in candidates))
        elif key in _WANTED:
            self.say(f"MISSING, needed: {wanted}.")
            self.put(f"# {key}:")
        else:
            self.say(f"{_ADVICE[key]}.")
            self.put(f"# {key}:")

    def one(self, key: str, paths: list[Path]) -> None:
        """Put the one file of a key; list them where there are several, name what is wanted where there is none."""
        if len(paths) != 1:
            return self.lack(key, *map(self.path, paths))
        self.put("", f"{key}: {self.path(paths[0])}")
        self.used.append((key, str(paths[0])))
        return None

    def text(self, file: Path) -> str:
        """Give the whole file."""
        head = [
            f"# A data set of chrombpnet, written by 'chrombpnet init' from the files in {_one_line(str(self.folder))}.",
            "# Lines with # are comments; docs/dataset.md explains the keys. Relative paths begin at this file's folder.",
            f"# Check it, then run it: chrombpnet check {_one_line(file.name)}; chrombpnet run {_one_line(file.name)}",
        ]
        return "\n".join([*head, *self.lines, ""])


def _draft(draft: _Draft, contents: FolderContents, assay: str | None, name: str | None) -> None:
    """Write key after key."""
    from flows.folder_contents import chromosomes_of_genome

    resolved = draft.folder.resolve().name
    draft.put("", f"id: {_quoted(re.sub(r'[^A-Za-z0-9._-]', '-', resolved).lstrip('._-') or 'dataset')}")
    if name:
        draft.put(f"name: {_quoted(_one_line(name))}")
    assay = assay or _assay_in_names([resolved, *(path.name for paths in contents.roles.values() for path in paths)])
    if assay:
        draft.put(f"assay: {assay}")
        draft.used.append(("assay", assay))
    else:
        draft.lack("assay")
    _draft_reads(draft, contents)
    sizes = chromosomes_of_genome(contents.of("genome"), contents.of("chrom_sizes"))
    for key in ("genome", "chrom_sizes", "peaks", "nonpeaks", "blacklist"):
        draft.one(key, contents.of(key))
    usable = _draft_chromosomes(draft, contents, sizes)
    _draft_folds(draft, contents.of("folds"), usable)
    _draft_models(draft, contents.of("bias"), assay, sizes)
    draft.say("Folder or address for the results.")
    draft.put("output: results")
    if contents.others:
        draft.say("Not used:", *(f"  {_one_line(path.name)}: {_one_line(words)}" for path, words in contents.others.items()))


def _draft_reads(draft: _Draft, contents: FolderContents) -> None:
    found = {kind: contents.of(kind) for kind in _READS if contents.of(kind)}
    if not found:
        return draft.lack("reads")
    kind, *others = found
    comments = []
    if len(found[kind]) > 1:
        comments.append(f"These {len(found[kind])} files are added up: take out what does not belong to this sample.")
    if others:
        comments.append("Also found; exactly one kind is given, and the same reads only once:")
        comments += [f"  {other}: [{', '.join(map(draft.path, found[other]))}]" for other in others]
    draft.say(*comments)
    draft.put("reads:", f"  {kind}:", *(f"    - {draft.path(path)}" for path in found[kind]))
    draft.used.append((f"reads.{kind}", ", ".join(map(str, found[kind]))))
    if others:
        draft.used.append(("also found", ", ".join(f"{path} ({other})" for other in others for path in found[other])))
    return None


def _draft_chromosomes(draft: _Draft, contents: FolderContents, sizes: dict[str, int]) -> list[str]:
    """Leave organelles out, and let names differ by a rule where they do; the chromosomes in use that have peaks."""
    from chrombpnet_core.genome import is_organelle, same_chromosome
    from flows.folder_contents import regions_by_chromosome

    peaks = contents.of("peaks")
    counts = regions_by_chromosome(peaks[0], sizes) if len(peaks) == 1 else {}
    organelles = [chrom for chrom in sizes if is_organelle(chrom)]
    other_names = [chrom for chrom in counts if sizes and chrom not in sizes and same_chromosome(chrom, sizes)]
    lines = ["  alias: auto"] if other_names else []
    lines += [f"  exclude: [{', '.join(map(_quoted, organelles))}]"] if organelles else []
    if lines:
        comments = [f"The peaks say {other_names[0]} where the genome says otherwise."] if other_names else []
        comments += ["Reads of organelles are left out: they are many, and not of chromatin."] if organelles else []
        draft.say(*comments)
        draft.put("chromosomes:", *lines)
        draft.used += [("left out", ", ".join(organelles))] if organelles else []
    named = [same_chromosome(chrom, sizes) or chrom for chrom in counts] if sizes else [*counts]
    return [chrom for chrom in named if chrom not in organelles and (not sizes or chrom in sizes)]


def _draft_folds(draft: _Draft, files: list[Path], usable: list[str]) -> None:
    if files:
        draft.put("", "folds:", *(f"  - {draft.path(path)}" for path in files))
        draft.used.append(("folds", ", ".join(map(str, files))))
        return None
    number = min(_MOST_FOLDS, len(usable))
    if number < 3:
        return draft.lack("folds")
    draft.say(
        "Number of folds to make: each chromosome is tested by one of them.",
        "The first alone takes a fraction of the time: chrombpnet run … --fold 0",
    )
    draft.put(f"folds: {number}")
    draft.used.append(("folds", f"{number}, to be made"))
    return None


def _draft_models(draft: _Draft, bias_models: list[Path], assay: str | None, sizes: dict[str, int]) -> None:
    from chrombpnet_core.genome import likely_taxon

    small = 0 < sum(sizes.values()) < _SMALL_GENOME
    bias: list[str] = []
    if len(bias_models) == 1:
        bias = [f"  model: {draft.path(bias_models[0])}"]
        draft.used.append(("bias.model", str(bias_models[0])))
    elif assay:
        bias = [f"  threshold_factor: {0.8 if assay == 'DNASE' else 0.5}"]
        bias += ["  filters: 32"] if small else []
    comments = ["A small genome has few regions to learn from: smaller models, which a CPU can train, too."] * small
    if len(bias_models) > 1:
        comments.append(f"A trained bias model to use, key model: one of {', '.join(map(draft.path, bias_models))}")
    draft.say(*comments)
    draft.put(*(["bias:", *bias] if bias else []), *(["model:", "  filters: 64"] * small))
    taxon = likely_taxon(sizes)
    draft.say(f"Known motifs to compare with, {'by the names of the chromosomes' if taxon else 'or insects, plants, …'}.")
    draft.put("explanation:", f"  motifs: jaspar:{taxon or 'vertebrates'}")


def _assay_in_names(names: list[str]) -> str | None:
    """Tell the assay that the names of files and folder speak of; None where they speak of none, or of both."""
    text = " ".join(names).lower()
    told = [assay for assay, word in (("ATAC", "atac"), ("DNASE", "dnase")) if word in text]
    return told[0] if len(told) == 1 else None


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else "?" for letter in text).split())


def _quoted(text: str) -> str:
    """Write a text as YAML: as it is where that means the same, else in quotation marks."""
    import yaml

    if re.fullmatch(r"[A-Za-z_/.][\w./-]*", text, re.ASCII) and yaml.safe_load(text) == text:
        return text
    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize)
    return quoted.strip()
