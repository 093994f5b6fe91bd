"""Look at everything the user gave before any work begins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py

from chrombpnet_core.errors import InputError, ModelFileError
from chrombpnet_core.genome import (
    Fold,
    NameMismatch,
    Naming,
    make_fold,
    name_mismatches,
    read_bed3,
    read_fold,
    read_fold_chromosomes,
    read_regions,
    windows_fit,
)
from chrombpnet_core.motifs import is_jaspar, read_database
from chrombpnet_core.reads import read_chromosome_names
from chrombpnet_core.tracks import Coverage
from tasks.runner import prefect_task
from tasks.steps.genome import genome_at, naming_of, sizes_of
from tasks.storage import cache_folder, require, require_place, stage

__all__ = ["CheckedInputs", "DatasetFiles", "check_inputs", "compare_names"]


@dataclass(frozen=True, kw_only=True)
class DatasetFiles:
    """What a data set, or a part of it, is computed from.

    Attributes
    ----------
    folds
        Paths of fold files, or chromosomes.
    places
        What is written there → folder or address.
    chromosomes
        The section of that name of a DatasetSpec.
    motifs
        ``jaspar:<taxon>``, or the address of a MEME file.
    """

    reads: tuple[str, ...] = ()
    genome: str
    chrom_sizes: str | None = None
    peaks: str
    nonpeaks: str | None = None
    blacklist: str | None = None
    folds: tuple[str | Fold, ...]
    bias_model: str | None = None
    architecture: str | None = None
    input_length: int
    places: Mapping[str, str]
    chromosomes: dict[str, Any] | None = None
    motifs: str | None = None


@dataclass(frozen=True)
class CheckedInputs:
    """What later steps need of inputs that are in order.

    Attributes
    ----------
    folds
        Chromosomes of every fold.
    peaks, nonpeaks
        Number of regions; nonpeaks 0 where they are still to be drawn.
    genome_size
        Bases of the chromosomes in use.
    naming
        How other files than the genome name chromosomes.
    """

    folds: tuple[Fold, ...]
    peaks: int
    nonpeaks: int
    genome_size: int
    naming: Naming = field(default_factory=Naming)

    def to_json(self) -> str:
        """Write it for another process."""
        folds = [asdict(fold) for fold in self.folds]
        numbers = {"peaks": self.peaks, "nonpeaks": self.nonpeaks, "genome_size": self.genome_size}
        return json.dumps({"folds": folds, "naming": self.naming.to_json(), **numbers})

    @classmethod
    def from_json(cls, text: str) -> CheckedInputs:
        """Read what :meth:`to_json` wrote."""
        content = json.loads(text)
        folds = tuple(Fold(**{part: tuple(names) for part, names in fold.items()}) for fold in content.pop("folds"))
        return cls(folds=folds, naming=Naming.from_json(content.pop("naming")), **content)


@prefect_task("Check inputs", retried=False)
def check_inputs(files: DatasetFiles) -> CheckedInputs:
    """Check that every file exists, is what it should be, and that their chromosomes agree.

    Parameters
    ----------
    files
        The inputs.

    Returns
    -------
    CheckedInputs
        What later steps need of them.

    Raises
    ------
    InputError
        At the first that is not in order.
    """
    naming = naming_of(files.chromosomes)
    _check_places_and_files(files)
    genome_path, artifact = stage(files.genome, "genome")
    with genome_at(genome_path, artifact.sha256) as genome:
        sizes_path = stage(files.chrom_sizes, "chromosome sizes")[0] if files.chrom_sizes else None
        sizes = sizes_of(genome, sizes_path, naming)
    folds = tuple(
        read_fold(stage(fold, "fold")[0], sizes, naming)
        if isinstance(fold, str)
        else make_fold({part: list(names) for part, names in asdict(fold).items()}, sizes, f"fold {i}", naming)
        for i, fold in enumerate(files.folds)
    )

    def number(path: str | None, what: str) -> int:
        return _check_regions(stage(path, what)[0], what, sizes, files.input_length, folds, naming) if path else 0

    peaks, nonpeaks = number(files.peaks, "peaks"), number(files.nonpeaks, "nonpeaks")
    if files.blacklist:
        read_bed3(stage(files.blacklist, "blacklist")[0])
    return CheckedInputs(folds, peaks, nonpeaks, sum(sizes.values()), naming)


def _check_places_and_files(files: DatasetFiles) -> None:
    """Refuse places that cannot be written to, and files that are absent or of another kind; genome and regions apart."""
    for what, place in {**files.places, "cache": str(cache_folder())}.items():
        require_place(place, what)
    for path in files.reads:
        require(path, "reads")
    if files.architecture:
        require(files.architecture, "architecture")
    if files.motifs:
        read_database(files.motifs if is_jaspar(files.motifs) else str(stage(files.motifs, "motifs")[0]))
    if files.bias_model:
        _check_bias_model(stage(files.bias_model, "bias model")[0], files.input_length)


def _check_regions(
    path: Path, what: str, sizes: dict[str, int], input_length: int, folds: Sequence[Fold], naming: Naming
) -> int:
    """Count the regions whose window lies in its chromosome; every part of every fold must have some."""
    table = read_regions(path, what, sizes, naming)
    usable = table[windows_fit(table, sizes, input_length)]
    if usable.empty:
        raise InputError(
            f"{path}: all {len(table):,} {what} are too near a chromosome end for a window of {input_length:,} bp",
            remedy="give regions farther from the ends, or a smaller `input_length`",
        )
    for fold in folds:
        for part in ("train", "valid", "test"):
            if not usable["chrom"].isin(getattr(fold, part)).any():
                raise InputError(
                    f"{path}: no {what} on the fold's {part} chromosomes ({', '.join(getattr(fold, part))})",
                    remedy="give more regions, or another fold",
                )
    return len(usable)


def _check_bias_model(path: Path, input_length: int) -> None:
    """Tell early, without Keras, that a file is no bias model or one of another input length."""
    if not h5py.is_hdf5(path):
        raise ModelFileError(
            f"{path}: the bias model is no HDF5 file",
            expected="a bias.h5 made by 'chrombpnet bias pipeline' or by the reference program",
        )
    names: set[str] = set()
    with h5py.File(path, "r") as file:
        file.visit(lambda name: names.update(name.split("/")))
        config = str(file.attrs.get("model_config", ""))
    if "bpnet_1st_conv" not in names or "wo_bias_bpnet_1st_conv" in names:
        raise ModelFileError(
            f"{path}: not a bias model",
            expected="a layer bpnet_1st_conv and no accessibility model",
            remedy="give bias.h5, not chrombpnet.h5 or chrombpnet_nobias.h5",
        )
    found = re.search(r'"batch_(?:input_)?shape": \[null, (\d+), 4\]', config)
    if found and int(found[1]) != input_length:
        raise InputError(
            f"{path}: input length of the bias model",
            expected=f"{input_length:,} bp",
            found=f"{int(found[1]):,} bp",
            remedy="give `input_length` and `output_length` of the bias model",
        )


def compare_names(
    genome: str,
    chrom_sizes: str | None,
    kind: str,
    reads: list[str],
    peaks: str | None,
    nonpeaks: str | None,
    blacklist: str | None,
    folds: list[str],
    chromosomes: dict[str, Any] | None,
) -> tuple[list[str], bool]:
    """Compare names: a table, line by line, of which input lacks which chromosomes, and whether a run could begin."""
    naming = naming_of(chromosomes)
    path, artifact = stage(genome, "genome")
    with genome_at(path, artifact.sha256) as opened:
        sizes = sizes_of(opened, stage(chrom_sizes, "chromosome sizes")[0] if chrom_sizes else None, naming)
        lines = [f"genome: {len(opened.sizes):,} chromosomes, {len(sizes):,} in use, {sum(sizes.values()):,} bp"]
    inputs: dict[str, dict[str, int]] = {}
    for each in reads:
        inputs[f"reads {Path(each).name}"] = _names_of_reads(stage(each, "reads")[0], kind)
    tables = {"peaks": peaks, "nonpeaks": nonpeaks, "blacklist": blacklist}
    for what, file in tables.items():
        if file:
            counts = read_bed3(stage(file, what)[0], what)["chrom"].value_counts()
            inputs[what] = {str(chrom): int(number) for chrom, number in counts.items()}
    for file in folds:
        inputs[f"fold {Path(file).name}"] = dict.fromkeys(read_fold_chromosomes(stage(file, "fold")[0]), 1)
    lacks = name_mismatches(sizes, inputs, naming)
    width = max((len(lack.what) for lack in lacks), default=0)
    for lack in lacks:
        lines += _told(lack, width, len(sizes))
    stopping = [
        lack
        for lack in lacks
        if lack.what != "blacklist"
        and lack.unknown
        and (len(lack.missing) == len(sizes) or not lack.what.startswith("reads "))
    ]
    if any(lack.twins for lack in lacks) and not naming.auto:
        lines.append('names differ by a rule: give `alias="auto"`')
    lines.append(
        "a run would stop at: " + ", ".join(lack.what for lack in stopping) if stopping else "chromosome names: in order"
    )
    return lines, not stopping


def _names_of_reads(path: Path, kind: str) -> dict[str, int]:
    """Name → number of reads, 0 where the file's header tells the names alone."""
    if kind != "bigwig":
        return read_chromosome_names(path, kind)
    with Coverage(path) as coverage:
        return dict.fromkeys(coverage.sizes, 0)


def _told(lack: NameMismatch, width: int, chromosomes: int) -> list[str]:
    """Say of one input what it lacks: a line, and one more for each kind of trouble."""
    shared = chromosomes - len(lack.missing)
    lines = [f"{lack.what:<{width}}  {shared:,} of {chromosomes:,} chromosomes"]
    for words, names in (("not in the genome", list(lack.unknown)), ("missing", lack.missing if shared else [])):
        if names:
            shown = [
                f"{name} (the genome's {lack.twins[name]})" if name in lack.twins and words != "missing" else name
                for name in names[:6]
            ]
            lines.append(
                f"{'':<{width}}  {words}: {', '.join(shown)}" + (f" and {len(names) - 6:,} more" if len(names) > 6 else "")
            )
    return lines
