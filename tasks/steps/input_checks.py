"""Look at everything the user gave before any work begins.

:data:`CHECKS` is the one list of checks, for ``chrombpnet check``, for the beginning of every run, and for commands of one
step. They call the functions that read the files later on, so that what is refused here and there is the same.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from chrombpnet_core.errors import InputError, ModelFileError, counted
from chrombpnet_core.genome import (
    SPLITS,
    Fold,
    make_fold,
    read_bed3,
    read_chrom_sizes,
    read_enzyme_matrices,
    read_fold,
    read_fold_chromosomes,
    read_regions,
    windows_fit,
)
from chrombpnet_core.models import BIAS, read_stored_model
from chrombpnet_core.motifs import is_jaspar, read_database
from chrombpnet_core.reads import check_read_files, check_read_kind, first_reads, read_chromosome_names, spill_reads
from chrombpnet_core.tracks import Coverage, check_coverage_sizes, check_insertions
from tasks.runner import prefect_task
from tasks.steps.dataset_files import CheckedInputs, DatasetFiles
from tasks.steps.genome import genome_at, naming_of, sizes_of
from tasks.steps.inspection import Inspection
from tasks.steps.motifs import known_motifs
from tasks.storage import cache_folder, is_local, is_staged, local_path, redact, require, require_place, stage

__all__ = ["CHECKS", "check_inputs", "inspect_inputs"]


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
        Of everything that is not in order.
    """
    return inspect_inputs(files).checked()


def inspect_inputs(files: DatasetFiles) -> Inspection:
    """Go through :data:`CHECKS`; nothing is raised for what is wrong with the inputs.

    Parameters
    ----------
    files
        The inputs.

    Returns
    -------
    Inspection
        What was found.
    """
    inspection = Inspection()
    for check in CHECKS:
        check(files, inspection)
    return inspection


def _check_places(files: DatasetFiles, inspection: Inspection) -> None:
    """Try to write where results, steps and scratch files will go."""
    places = {**files.places, "cache": str(cache_folder()), "scratch": tempfile.gettempdir()}
    for what, place in places.items():
        inspection.look(what, partial(_look_at_place, place, what))


def _look_at_place(place: str, what: str) -> str:
    require_place(place, what)
    return f"{redact(place)} can be written to"


def _check_genome(files: DatasetFiles, inspection: Inspection) -> None:
    """Open the genome: the chromosomes in use, and how other files name them."""

    def look_at_names() -> str:
        inspection.naming = naming_of(files.chromosomes)
        return ""

    def look_at_genome(address: str) -> str:
        path, artifact = stage(address, "genome")
        with genome_at(path, artifact.sha256) as genome:
            words = f"{_name(address)}: {counted(len(genome.sizes), 'chromosomes')}"
            sizes_path = stage(files.chrom_sizes, "chromosome sizes")[0] if files.chrom_sizes else None
            inspection.sizes = sizes_of(genome, sizes_path, inspection.naming)
        return f"{words}, {len(inspection.sizes):,} in use, {sum(inspection.sizes.values()):,} bp"

    inspection.look("chromosome names", look_at_names)
    if files.genome:
        inspection.look("genome", partial(look_at_genome, files.genome))
    if inspection.sizes is None and files.chrom_sizes:
        inspection.look("chromosome sizes", partial(_look_at_sizes, files.chrom_sizes))


def _look_at_sizes(address: str) -> str:
    """Look at the table alone, where the genome is not in order."""
    read_chrom_sizes(stage(address, "chromosome sizes")[0])
    return f"{_name(address)}: not compared with the genome"


def _check_folds(files: DatasetFiles, inspection: Inspection) -> None:
    """Form of the folds: every chromosome known and used once, no part empty."""
    for number, fold in enumerate(files.folds):
        name = f"fold {_name(fold) if isinstance(fold, str) else number}"
        inspection.look(name, partial(_look_at_fold, fold, number, name, inspection))


def _look_at_fold(fold: str | Fold, number: int, name: str, inspection: Inspection) -> str:
    sizes, naming = inspection.sizes, inspection.naming
    if isinstance(fold, str):
        path = stage(fold, "fold")[0]
        inspection.names[name] = dict.fromkeys(read_fold_chromosomes(path), 1)
        made = read_fold(path, sizes, naming) if sizes else None
    else:
        parts = {part: list(names) for part, names in asdict(fold).items()}
        made = make_fold(parts, sizes, f"fold {number}", naming) if sizes else None
    if made is None:
        return "not compared with the genome"
    inspection.folds[f"{number} {name}"] = made
    return ", ".join(f"{len(getattr(made, part)):,} {part}" for part in SPLITS)


def _check_regions(files: DatasetFiles, inspection: Inspection) -> None:
    """Contents of peaks and other regions; each part of each fold must have some; the blacklist."""
    for what, path in files.regions.items():
        if path:
            inspection.look(what, partial(_look_at_regions, path, what, files.input_length, inspection))
    for what in inspection.regions:
        for fold in inspection.folds.values():
            for part in files.splits:
                path = str(files.regions[what])
                inspection.look(what, partial(_look_at_part, path, what, inspection, part, getattr(fold, part)))
    if files.blacklist:
        inspection.look("blacklist", partial(_look_at_blacklist, files.blacklist, inspection))


def _look_at_regions(address: str, what: str, input_length: int, inspection: Inspection) -> str:
    """Read the regions and keep those whose window lies in its chromosome."""
    path = stage(address, what)[0]
    counts = read_bed3(path, what)["chrom"].value_counts()
    inspection.names[what] = {str(chrom): int(number) for chrom, number in counts.items()}
    table = read_regions(path, what, inspection.sizes, inspection.naming if inspection.sizes else None)
    if inspection.sizes is None:
        return f"{_name(address)}: {len(table):,}, not compared with the genome"
    usable = table[windows_fit(table, inspection.sizes, input_length)]
    if usable.empty:
        raise InputError(
            f"{path}: all {len(table):,} {what} are too near a chromosome end for a window of {input_length:,} bp",
            remedy="give regions farther from the ends, or a smaller `input_length`",
        )
    inspection.regions[what] = usable
    near = len(table) - len(usable)
    return f"{_name(address)}: {len(table):,}" + (f", {near:,} too near a chromosome end" if near else "")


def _look_at_part(path: str, what: str, inspection: Inspection, part: str, chroms: Sequence[str]) -> str:
    if not inspection.regions[what]["chrom"].isin(chroms).any():
        raise InputError(
            f"{path}: no {what} on the fold's {part} chromosomes ({', '.join(chroms)})",
            remedy="give more regions, or another fold",
        )
    return ""


def _look_at_blacklist(address: str, inspection: Inspection) -> str:
    table = read_bed3(stage(address, "blacklist")[0], "blacklist")
    inspection.names["blacklist"] = {str(chrom): int(count) for chrom, count in table["chrom"].value_counts().items()}
    return f"{_name(address)}: {len(table):,}"


def _check_reads(files: DatasetFiles, inspection: Inspection) -> None:
    """Kind, header and contents of the reads."""
    here = [local_path(address) for address in files.reads if is_local(address) and local_path(address).is_file()]
    if here and files.kind != "bigwig":
        inspection.look("reads", partial(_look_at_filters, here, files))
    for address in files.reads:
        what = f"reads {_name(address)}"
        if not is_local(address) and not is_staged(address) and not files.read_whole:
            inspection.look(what, partial(_require_reads, address))
            inspection.unseen.append((what, "not on this machine yet: a run copies it first"))
        elif inspection.sizes is None:
            inspection.look(what, partial(_require_reads, address))
            inspection.unseen.append((what, "cannot be compared with the genome, which is not in order"))
        else:
            inspection.look(what, partial(_look_at_reads, address, what, files, inspection, inspection.sizes))


def _look_at_filters(paths: list[Path], files: DatasetFiles) -> str:
    check_read_files(paths, files.kind, files.filters)
    return ""


def _require_reads(address: str) -> str:
    require(address, "reads")
    return ""


def _look_at_reads(address: str, what: str, files: DatasetFiles, inspection: Inspection, sizes: dict[str, int]) -> str:
    require(address, "reads")
    path = local_path(address) if is_local(address) else stage(address, "reads")[0]
    check_read_kind(path, files.kind, files.accept)
    if files.kind == "bigwig":
        with Coverage(path, inspection.naming, sizes) as coverage:
            check_coverage_sizes(coverage, sizes)
            check_insertions(coverage, files.accept)
            inspection.names[what] = dict.fromkeys(coverage.sizes, 0)
        return f"{_name(address)}: lengths of its chromosomes, a sample of its values"
    assert files.genome is not None, "reads are looked at where a genome is given"
    genome_path, artifact = stage(files.genome, "genome")
    with genome_at(genome_path, artifact.sha256) as genome, tempfile.TemporaryDirectory() as scratch:
        how: dict[str, Any] = {"naming": inspection.naming, "filters": files.filters, "genome": genome}
        if path.stat().st_size > files.read_whole:
            counts = first_reads(path, files.kind, sizes, **how)
            amount = f"the first {counted(sum(counts.values()), 'reads')}"
        else:
            spilled = spill_reads([path], files.kind, sizes, scratch, 0, **how)
            counts = {name: count for name, count in spilled.counts.items() if count} | spilled.lost
            amount = f"all {counted(sum(counts.values()), 'reads')}"
    inspection.names[what] = read_chromosome_names(path, "bam") if files.kind == "bam" else counts
    return f"{_name(address)}: {amount}"


def _check_models(files: DatasetFiles, inspection: Inspection) -> None:
    """Models of the kind that they are given as, and of one input length."""
    for what, address in files.models.items():
        if address:
            inspection.look(what, partial(_look_at_model, address, what, files.input_length))


def _look_at_model(address: str, what: str, input_length: int) -> str:
    path = stage(address, what)[0]
    if what == "bias model":
        _look_at_bias_model(path, input_length)
    else:
        read_stored_model(path)
    return _name(address)


def _look_at_bias_model(path: Path, input_length: int) -> None:
    """Tell early, without Keras, that a file is no bias model or one of another input length."""
    if not h5py.is_hdf5(path):
        raise ModelFileError(
            f"{path}: the bias model is no HDF5 file",
            expected="a bias.h5 made by 'chrombpnet bias pipeline' or by the reference program",
        )
    stored = read_stored_model(path)
    if stored.kind != BIAS:
        raise ModelFileError(
            f"{path}: not a bias model",
            expected="a layer bpnet_1st_conv and no accessibility model",
            remedy="give bias.h5, not chrombpnet.h5 or chrombpnet_nobias.h5",
        )
    found = stored.input_length
    if found and input_length and found != input_length:
        raise InputError(
            f"{path}: input length of the bias model",
            expected=f"{input_length:,} bp",
            found=f"{found:,} bp",
            remedy="give `input_length` and `output_length` of the bias model",
        )


def _check_others(files: DatasetFiles, inspection: Inspection) -> None:
    """Read known motifs and matrices; look for the user's architecture, and other files that must be there."""
    if files.motifs:
        inspection.look("motifs", partial(_look_at_motifs, files.motifs))
    if files.matrices:
        inspection.look("enzyme matrices", partial(_look_at_matrices, files.matrices))
    for what, address in {"architecture": files.architecture, **files.others}.items():
        if address:
            inspection.look(what, partial(_look_at_other, address, what))


def _look_at_motifs(motifs: str) -> str:
    if is_jaspar(motifs):
        known_motifs(motifs)  # read once a process
    else:
        read_database(str(stage(motifs, "motifs")[0]))
    return _name(motifs)


def _look_at_matrices(address: str) -> str:
    read_enzyme_matrices(stage(address, "enzyme matrices")[0])
    return _name(address)


def _look_at_other(address: str, what: str) -> str:
    require(address, what)
    return f"{_name(address)} is there"


def _name(address: str) -> str:
    """Last part of an address, as it may be shown."""
    return redact(address).rstrip("/").rsplit("/", 1)[-1] or redact(address)


CHECKS: tuple[Callable[[DatasetFiles, Inspection], None], ...] = (
    _check_places,
    _check_genome,
    _check_folds,
    _check_regions,
    _check_reads,
    _check_models,
    _check_others,
)
"""All checks, in order: each adds to an :class:`Inspection`."""
