"""Before a data set's steps: its folds are written out, its inputs checked, its needs estimated."""

from __future__ import annotations

from typing import Literal, TypeAlias

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from chrombpnet_core.reads import ReadFilters
from flows.dataset.fold_steps import model_size
from flows.dataset.run import Run, call_here, submit
from flows.spec import DatasetSpec, FoldChromosomes, make_spec
from tasks.runner import Awaited
from tasks.steps import (
    CheckedInputs,
    DatasetFiles,
    Inspection,
    ModelToTrain,
    balanced_folds,
    check_inputs,
    estimate_run,
    inspect_inputs,
    place_folds,
)

__all__ = [
    "ModelKinds",
    "begin",
    "check_dataset",
    "estimate",
    "inspect_dataset",
    "model_kinds",
    "with_folds",
    "write_folds",
]

ModelKinds: TypeAlias = tuple[Literal["bias", "main"], ...]
"""Models to train, one after the other."""


def model_kinds(spec: DatasetSpec) -> ModelKinds:
    """Return the models that each fold of a data set trains."""
    return ("main",) if spec.bias.model else ("bias", "main")


def check_dataset(spec: DatasetSpec, store: str) -> CheckedInputs:
    """Check the inputs of a data set in this process, without Prefect.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps will keep their outputs.

    Returns
    -------
    CheckedInputs
        What its flows need to know of the inputs, so that they need not be checked again.
    """
    return _inspect(spec, store, 0).checked()


def inspect_dataset(spec: DatasetSpec, store: str, read_whole: int) -> Inspection:
    """Look at everything that a run of a data set looks at before its first step, and tell all of it.

    Parameters
    ----------
    spec
        The data set.
    store
        Where steps will keep their outputs.
    read_whole
        Files of reads up to this size in bytes are read to their end.

    Returns
    -------
    Inspection
        What was found.
    """
    inspection = _inspect(spec, store, read_whole)
    if inspection.problems or inspection.faults:
        inspection.unseen.append(("memory, disk, device", "they depend on what is not in order"))
        return inspection
    run = Run(with_folds(spec), store, inspection.naming, call_here)
    checked = inspection.checked()
    kinds = model_kinds(spec) * len(checked.folds)
    device = spec.training.device
    inspection.look("memory, disk, device", lambda: str(estimate(run, kinds, checked, device, strict=True).result()))
    return inspection


def _inspect(spec: DatasetSpec, store: str, read_whole: int) -> Inspection:
    """Look at the inputs; where the folds are still to be made, at those that would be made."""
    try:
        return inspect_inputs(_files_of(with_folds(spec), store, read_whole))
    except InputError as error:  # no folds can be made: all else is looked at nevertheless
        problem = error
    inspection = inspect_inputs(_files_of(spec.model_copy(update={"folds": []}), store, read_whole))

    def no_folds() -> str:
        raise problem

    inspection.look("folds", no_folds)
    return inspection


def begin(
    spec: DatasetSpec, store: str, kinds: ModelKinds, elsewhere: bool = False, checked: CheckedInputs | None = None
) -> tuple[Run, CheckedInputs]:
    """Check the inputs, name the device, say what training will take.

    Parameters
    ----------
    spec
        The data set, its folds written out.
    store
        Where steps keep their outputs.
    kinds
        Models that are trained in every fold.
    elsewhere
        Whether other processes train: the device is not looked at then, and left free for them.
    checked
        What is known of inputs that were checked already.

    Returns
    -------
    tuple
        The run, and what is known of its inputs.
    """
    if checked is None:
        checked = submit(check_inputs, _files_of(spec, store)).result()
    assert checked is not None
    run = Run(spec, store, checked.naming)
    if not elsewhere:
        estimate(run, kinds * len(checked.folds), checked, spec.training.device).result()
    return run, checked


def _files_of(spec: DatasetSpec, store: str, read_whole: int = 0) -> DatasetFiles:
    folds = [chromosomes_of(fold) if isinstance(fold, FoldChromosomes) else fold for fold in spec.fold_list]
    places = {"results": spec.output, "store": store} | ({"bundle": spec.publish} if spec.publish else {})
    reads = spec.reads
    return DatasetFiles(
        reads=tuple(reads.files),
        kind=reads.kind,
        accept=reads.accept,
        filters=ReadFilters(reads.min_mapq, reads.exclude_flags, reads.dedup, reads.use_counts),
        read_whole=read_whole,
        genome=spec.genome,
        chrom_sizes=spec.chrom_sizes,
        regions={"peaks": spec.peaks, "nonpeaks": spec.nonpeaks},
        blacklist=spec.blacklist,
        folds=tuple(folds),
        models={"bias model": spec.bias.model},
        architecture=spec.model.architecture,
        input_length=spec.input_length,
        places=places,
        chromosomes=spec.chromosomes.model_dump(),
        motifs=spec.explanation.motifs if spec.explanation.peaks else None,
        matrices=reads.reference_matrices,
        others={"truth": spec.truth},
    )


def chromosomes_of(fold: FoldChromosomes) -> Fold:
    """Return the fold that a data set writes out."""
    return Fold(tuple(fold.train), tuple(fold.valid), tuple(fold.test))


def estimate(run: Run, kinds: ModelKinds, checked: CheckedInputs, device: str, strict: bool = False) -> Awaited:
    """Begin to estimate what training takes.

    Parameters
    ----------
    run
        The data set's run.
    kinds
        Models to train.
    checked
        What is known of the inputs.
    device
        ``auto``, ``cpu`` or ``gpu``; refused where training on it is hopeless.
    strict
        Whether too little disk or memory is refused, rather than warned about.

    Returns
    -------
    Awaited
        Of the estimate in words.
    """
    spec = run.spec
    nonpeaks = checked.nonpeaks or spec.background.ratio * checked.peaks
    examples = {
        "bias": nonpeaks * spec.bias.epochs,
        "main": checked.peaks * (1 + spec.model.negative_sampling_ratio) * spec.model.epochs,
    }
    models = [
        ModelToTrain(
            size=model_size(spec, kind),
            examples=examples[kind],
            own=kind == "main" and spec.model.architecture is not None,
        )
        for kind in kinds
    ]
    jitter = spec.model.jitter if "main" in kinds else 0
    estimating: Awaited = run.call(
        estimate_run,
        run.store,
        models,
        spec.training.batch_size,
        regions=checked.peaks + nonpeaks,
        bases=spec.input_length + 2 * jitter,
        genome_size=checked.genome_size,
        device=device,
        strict=strict,
    )
    return estimating


def with_folds(spec: DatasetSpec) -> DatasetSpec:
    """Return the same data set; where only the number of folds is given, they are made and written out."""
    if not isinstance(spec.folds, int):
        return spec
    folds = balanced_folds(
        spec.genome,
        spec.chrom_sizes,
        spec.peaks,
        spec.folds,
        spec.training.seed,
        spec.input_length,
        spec.chromosomes.model_dump(),
    )
    return _with(spec, folds)


def write_folds(spec: DatasetSpec, checked: CheckedInputs | None) -> DatasetSpec:
    """Return the data set of :func:`with_folds`; folds that were made are put into its output, too.

    Parameters
    ----------
    spec
        The data set.
    checked
        What is known of inputs that were checked already, among it the folds.

    Returns
    -------
    DatasetSpec
        The same data set with its folds written out.
    """
    if not isinstance(spec.folds, int):
        return spec
    written = _with(spec, checked.folds) if checked else with_folds(spec)
    place_folds([chromosomes_of(fold) for fold in written.fold_list if isinstance(fold, FoldChromosomes)], spec.output)
    return written


def _with(spec: DatasetSpec, folds: tuple[Fold, ...]) -> DatasetSpec:
    written = [{"train": [*fold.train], "valid": [*fold.valid], "test": [*fold.test]} for fold in folds]
    return make_spec(spec.model_dump() | {"folds": written}, "data set")
