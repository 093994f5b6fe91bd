"""Before a data set's steps: its folds are written out, its inputs checked, its needs estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import Fold
from chrombpnet_core.models import ACCESSIBILITY_PREFIX, BIAS_PREFIX, Architecture, read_stored_model, stored_architecture
from chrombpnet_core.reads import ReadFilters
from flows.dataset.fold_steps import ModelKind, explained_heads, model_size
from flows.dataset.pipelines import Pipeline
from flows.dataset.run import Run, call_here, submit
from flows.dataset.step_outline import each_once, outline
from flows.spec import DatasetSpec, FoldChromosomes, make_spec
from tasks.runner import Awaited
from tasks.steps import (
    CheckedInputs,
    DatasetFiles,
    Inspection,
    RunEstimate,
    Workload,
    balanced_folds,
    check_inputs,
    estimate_run,
    inspect_inputs,
    place_folds,
)
from tasks.storage import stage

__all__ = [
    "begin",
    "check_dataset",
    "estimate",
    "inspect_dataset",
    "with_folds",
    "write_folds",
]


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
    steps = [name for name, _ in each_once(outline(spec))]
    device = spec.training.device

    def look() -> str:
        return str(estimate(run, steps, checked, device, strict=True, ahead=True).result())

    inspection.look("memory, disk, device", look)
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
    spec: DatasetSpec,
    store: str,
    pipeline: Pipeline | None = None,
    elsewhere: bool = False,
    checked: CheckedInputs | None = None,
) -> tuple[Run, CheckedInputs, RunEstimate | None]:
    """Check the inputs, name the device, say what the run will take.

    Parameters
    ----------
    spec
        The data set, its folds written out.
    store
        Where steps keep their outputs.
    pipeline
        Where it is no data set.
    elsewhere
        Whether other processes train: the device is not looked at then, and left free for them.
    checked
        What is known of inputs that were checked already.

    Returns
    -------
    tuple
        The run, what is known of its inputs, and what it takes at most, which is not estimated where others train.
    """
    if checked is None:
        checked = submit(check_inputs, _files_of(spec, store)).result()
    assert checked is not None
    run = Run(spec, store, checked.naming)
    if elsewhere:
        return run, checked, None
    steps = [name for name, _ in each_once(outline(spec, pipeline))]
    return run, checked, estimate(run, steps, checked, spec.training.device, pipeline).result()


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
        others={"truth": spec.truth, "genes": spec.genes},
    )


def chromosomes_of(fold: FoldChromosomes) -> Fold:
    """Return the fold that a data set writes out."""
    return Fold(tuple(fold.train), tuple(fold.valid), tuple(fold.test))


def estimate(
    run: Run,
    steps: Sequence[str],
    checked: CheckedInputs,
    device: str,
    pipeline: Pipeline | None = None,
    *,
    strict: bool = False,
    ahead: bool = False,
) -> Awaited:
    """Begin to estimate what a run takes.

    Parameters
    ----------
    run
        The data set's run.
    steps
        Names of the steps that will run.
    checked
        What is known of the inputs.
    device
        ``auto``, ``cpu`` or ``gpu``; refused where training on it is hopeless.
    pipeline
        Where it is no data set.
    strict
        Whether too little disk or memory is refused, rather than warned about.
    ahead
        Whether nothing is computed afterwards.

    Returns
    -------
    Awaited
        Of the estimate.
    """
    work = _workload(run.spec, checked, pipeline)
    estimating: Awaited = run.call(estimate_run, run.store, work, steps, device=device, strict=strict, ahead=ahead)
    return estimating


def _workload(spec: DatasetSpec, checked: CheckedInputs, pipeline: Pipeline | None) -> Workload:
    """Count what the steps of one fold have to do."""
    given = {"bias": spec.bias.model, **(pipeline.models or {} if pipeline else {})}
    main_only = pipeline is not None and pipeline.kind == "main"
    kinds: tuple[ModelKind, ...] = ("bias",) if pipeline and pipeline.kind == "bias" else ("bias", "main")
    return Workload(
        models={kind: _size_of_given(given, kind) or Architecture(**asdict(model_size(spec, kind))) for kind in kinds},
        epochs={"bias": spec.bias.epochs, "main": spec.model.epochs},
        heads={kind: len(explained_heads(spec, kind)) for kind in kinds},
        peaks=checked.peaks,
        nonpeaks=checked.nonpeaks or spec.background.ratio * checked.peaks,
        negative_ratio=spec.model.negative_sampling_ratio,
        batch_size=spec.training.batch_size,
        explained=spec.explanation.peaks,
        window=spec.explanation.window,
        folds=len(checked.folds),
        genome_size=checked.genome_size,
        jitter=spec.model.jitter if main_only or pipeline is None else 0,
        own=spec.model.architecture is not None,
    )


def _size_of_given(models: Mapping[str, str | None], kind: ModelKind) -> Architecture | None:
    """Tell the size of a model that is given as a file; None where none is, or it is no BPNet."""
    address = models.get("bias") if kind == "bias" and models.get("bias") else models.get("chrombpnet")
    if not address:
        return None
    try:
        stored = read_stored_model(stage(address, "model")[0])
        return stored_architecture(stored, BIAS_PREFIX if kind == "bias" else ACCESSIBILITY_PREFIX)
    except InputError:  # of the user's own architecture
        return None


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
