"""What the files of a folder are in a data set, told by their content; names decide only where lines cannot."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import numbered_lines
from chrombpnet_core.genome import read_chrom_sizes, read_fold_chromosomes
from chrombpnet_core.models import BIAS, read_stored_model
from chrombpnet_core.reads import Recognised, recognise_file
from chrombpnet_core.tracks import Coverage, check_insertions

__all__ = ["FolderContents", "chromosomes_of_genome", "look_into", "regions_by_chromosome"]

_INDEXES = {".fai", ".gzi", ".bai", ".csi", ".tbi", ".crai", ".md5"}
_LINES = 20_000
_PLAIN_COLUMNS = 4  # of BED that holds regions and nothing else; fragments of single cells have more
_LARGEST_TABLE = 64 << 20  # bytes of a table of sizes, or of a FASTA that is read for its names
_BLACKLIST_WORDS = ("blacklist", "blocklist", "exclude", "exclusion", "high signal", "low mappability", "artifact")


@dataclass
class FolderContents:
    """Files by what they are.

    Attributes
    ----------
    roles
        Role → files in order of name: ``genome``, ``chrom_sizes``, ``peaks``, ``nonpeaks``, ``blacklist``, ``folds``,
        ``bias``, and the kinds of reads.
    others
        File → what it seems to be, of those that a data set has no use for or that may be several things.
    """

    roles: dict[str, list[Path]] = field(default_factory=dict)
    others: dict[Path, str] = field(default_factory=dict)

    def of(self, role: str) -> list[Path]:
        """Give the files of a role."""
        return self.roles.get(role, [])


def look_into(folder: Path) -> FolderContents:
    """Look at the beginning of every file of a folder, not of those below it.

    Parameters
    ----------
    folder
        A local folder.

    Returns
    -------
    FolderContents
        Its files by what they are; hidden files and indexes are passed over.
    """
    contents = FolderContents()
    plain: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() in _INDEXES or not path.is_file() or not path.stat().st_size:
            continue
        try:
            role, words = _role_of(path)
        except (InputError, OSError, ValueError, IndexError) as error:  # the last two of lines that are no table
            role, words = "", str(error)
        if role == "regions":
            plain.append(path)
        elif role:
            contents.roles.setdefault(role, []).append(path)
        elif words:
            contents.others[path] = words
    if contents.of("peaks"):
        contents.others |= dict.fromkeys(plain, "plain regions: peaks, nonpeaks or a blacklist")
    elif plain:
        contents.roles["peaks"] = plain
    contents.roles["genome"] = _without_copies(contents.of("genome"))
    return contents


def _role_of(path: Path) -> tuple[str, str]:
    """Tell the role of a file; where it has none, what it seems to be, or nothing."""
    if path.suffix.lower() == ".json":
        return ("folds", "") if _passes(read_fold_chromosomes, path) else ("", "")
    seen = recognise_file(path)
    if seen is None:
        small = path.stat().st_size < _LARGEST_TABLE
        return ("chrom_sizes", "") if small and _is_sizes_table(path) else ("", "")
    if seen.what == "FASTA":
        return "genome", ""
    if seen.what.startswith("HDF5"):
        return ("bias", "") if _is_bias_model(path) else ("", seen.what)
    if "bigwig" in seen.kinds:
        return ("bigwig", "") if _passes(_require_insertions, path) else ("", "a bigWig, but not of insertions per base")
    if "bam" in seen.kinds:
        return "bam", ""
    if seen.kinds or "peaks" in seen.what:
        return _role_of_lines(path, seen), ""
    return "", seen.what


def _role_of_lines(path: Path, seen: Recognised) -> str:
    """Tell reads, peaks, nonpeaks and blacklists, all of them lines of chromosome, start and end."""
    rows = [line.split("\t") for _, line in itertools.islice(numbered_lines(path, "table"), _LINES)]
    if all(len(row) == 10 and {*row[3:9]} == {"."} for row in rows):
        return "nonpeaks"
    text = " ".join([path.name, *(row[3] for row in rows[:100] if len(row) > 3)]).lower()
    unwanted, plain = any(word in text for word in _BLACKLIST_WORDS), max(map(len, rows)) <= _PLAIN_COLUMNS
    if "peaks" not in seen.what and not ((plain or unwanted) and _are_apart(rows)):
        return seen.kinds[0]
    return "blacklist" if unwanted else "regions" if plain else "peaks"


def _are_apart(rows: list[list[str]]) -> bool:
    """Tell whether no line overlaps the one before, as lines of fragments do."""
    return all(
        one[0] != other[0] or int(other[1]) >= int(one[2]) for one, other in itertools.pairwise(rows) if len(other) > 2
    )


def _is_sizes_table(path: Path) -> bool:
    lines = [line for _, line in itertools.islice(numbered_lines(path, "table"), _LINES)]
    return all(len(line.split()) == 2 for line in lines) and _passes(read_chrom_sizes, path)


def _is_bias_model(path: Path) -> bool:
    try:
        return read_stored_model(path).kind == BIAS
    except InputError:
        return False


def _require_insertions(path: Path) -> None:
    with Coverage(path) as coverage:
        check_insertions(coverage)


def _passes(read: Callable[[Path], object], path: Path) -> bool:
    try:
        read(path)
    except InputError:
        return False
    return True


def _without_copies(paths: list[Path]) -> list[Path]:
    """Leave out compressed files that lie beside the same file unpacked."""
    return [path for path in paths if path.suffix not in (".gz", ".bgz") or path.with_suffix("") not in paths]


def chromosomes_of_genome(genomes: list[Path], sizes: list[Path]) -> dict[str, int]:
    """Find the names and lengths of the chromosomes in use, where that takes no long reading.

    Parameters
    ----------
    genomes
        FASTA files.
    sizes
        Tables of names and lengths.

    Returns
    -------
    dict
        Chromosome → length in bp, of the one table or the one genome; empty where there is none, or several, or a large
        FASTA without an index beside it.
    """
    if len(sizes) == 1:
        return read_chrom_sizes(sizes[0])
    if len(genomes) != 1:
        return {}
    index = Path(f"{genomes[0]}.fai")
    if index.is_file():
        return read_chrom_sizes(index)
    if genomes[0].stat().st_size > _LARGEST_TABLE:
        return {}
    lengths: Counter[str] = Counter()
    name = ""
    for _, line in numbered_lines(genomes[0], "genome"):
        if line.startswith(">"):
            name = (line[1:].split() or [""])[0]
            lengths[name] = 0
        else:
            lengths[name] += len(line.strip())
    return dict(lengths)


def regions_by_chromosome(path: str | os.PathLike[str], names: Iterable[str] = ()) -> dict[str, int]:
    """Count the lines of a file of regions on each chromosome; chromosomes of ``names`` come first, in their order."""
    counts = Counter(line.split("\t", 1)[0] for _, line in numbered_lines(path, "peaks"))
    return {name: counts[name] for name in [*dict.fromkeys([*names, *counts])] if counts[name]}
