"""The flow that scores variants: every chromosome with every model, then what they say together, and a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from prefect import flow
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chrombpnet_core.errors import InputError
from flows.dataset import FoldsFailed, by_deployment, call_here, cancel_folds, submit
from flows.environment import stoppable
from flows.spec import Chromosomes, Count, Positive, Seed, make_part
from tasks.reports import place_with_links
from tasks.runner import Awaited, FileOf, Result, Step
from tasks.steps import DatasetFiles, check_inputs, naming_of
from tasks.storage import redact, split_prefix
from tasks.variants import (
    BACKGROUND,
    BUNDLE_MODELS,
    CONTRIBUTIONS,
    PEAK_COUNTS,
    REPORT,
    SCORES,
    TABLES,
    TOP,
    VARIANTS,
    BackgroundInputs,
    BackgroundParameters,
    BundleInputs,
    BundleParameters,
    ContributionsInputs,
    ContributionsParameters,
    PeakCountsInputs,
    PeakCountsParameters,
    ReportInputs,
    ReportParameters,
    ScoresInputs,
    ScoresParameters,
    TablesInputs,
    TablesParameters,
    VariantsInputs,
    VariantsParameters,
    check_data_set,
    model_lengths,
    tar_of_models,
    variant_files,
    variants_on,
)

__all__ = ["REPORT_PART", "VariantsRequest", "score_variants", "variants", "variants_part"]

REPORT_PART = "report"
"""Name of the part that puts together what the models' parts have found."""

# Prefect's types take no runner whose futures are of a kind of their own.
_RUNNER = cast(TaskRunner[PrefectFuture[Any]], ThreadPoolTaskRunner(max_workers=2))
"""Two tasks of a process: while one waits for its device, the other makes windows."""

Schema = Literal["chrombpnet", "original", "plink", "plink2", "bed", "snp_score", "vcf"]


class VariantsRequest(BaseModel):
    """What is asked of the flow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variants: str = Field(description="VCF, BCF, or a table of the schema; plain or compressed")
    genome: str
    models: list[str] = Field(default=[], description="chrombpnet_nobias.h5 of each fold")
    one_data_set: bool = Field(default=False, description="average models though their names are of several data sets")
    bundle: str | None = Field(default=None, description="address of a published bundle, <url>/<name>, in place of models")
    output_prefix: str = Field(description="folder and beginning of the files' names")
    chrom_sizes: str | None = None
    table: Schema = Field(default="chrombpnet", description="columns of a table of variants")
    swap_ref: bool = Field(default=False, description="exchange alleles of which the second is the genome's")
    chroms: list[str] = Field(default=[], description="only these chromosomes")
    peaks: str | None = Field(default=None, description="narrowPeak: quantiles, and whether a variant lies in one")
    max_peaks: Positive | None = None
    genes: str | None = Field(default=None, description="BED4 of genes or their starts")
    hits: str | None = Field(default=None, description="BED4 of motif hits")
    shuffles: Count = Field(default=0, description="variants in shuffled sequence, in all, for p-values; 0: none")
    shuffles_each: Count = Field(default=0, description="the same for each variant of the list, where shuffles is 0")
    top: Annotated[int, Field(ge=0, le=500)] = Field(default=20, description="variants in the report; 0: no report")
    profiles: bool = Field(default=False, description="write both alleles' predictions as HDF5")
    contributions: list[Literal["counts", "profile"]] = Field(
        default=[], description="write both alleles' contributions to these heads as HDF5"
    )
    precision: Literal["float32", "tf32"] = "float32"
    seed: Seed = 1234
    chromosomes: Chromosomes = Chromosomes()

    @model_validator(mode="after")
    def _models_or_bundle(self) -> VariantsRequest:
        if bool(self.models) == (self.bundle is not None):
            raise ValueError("give either models or a bundle")
        return self

    def absolute(self) -> VariantsRequest:
        """Make local paths absolute, for processes in other folders."""

        def there(path: str) -> str:
            return path if "://" in path else f"{Path(path).expanduser().absolute()}{'/' * path.endswith('/')}"

        single = ("variants", "genome", "bundle", "output_prefix", "chrom_sizes", "peaks", "genes", "hits")
        given: dict[str, Any] = {name: there(path) for name in single if (path := getattr(self, name)) is not None}
        alias = self.chromosomes.alias
        given["chromosomes"] = self.chromosomes.model_copy(update={} if alias in (None, "auto") else {"alias": there(alias)})
        return self.model_copy(update=given | {"models": [there(model) for model in self.models]})


@dataclass(frozen=True)
class _Part:
    """What one run of a deployment does: the scores of a model, or what follows when all of them are there."""

    index: int
    name: str

    def __str__(self) -> str:
        return self.name


@flow(
    name="variants",
    validate_parameters=False,
    task_runner=_RUNNER,
    on_cancellation=[cancel_folds],
)
@stoppable
def variants(request: VariantsRequest | dict[str, Any], store: str, part_deployment: str | None = None) -> list[str]:
    """Score variants with all models, chromosomes and models side by side.

    With ``part_deployment`` each model is a run of that deployment of :func:`variants_part`, and so is the report; this run
    reads the variants and puts the tables together.

    Parameters
    ----------
    request
        What is asked.
    store
        Where steps keep their outputs.
    part_deployment
        Deployment of :func:`variants_part`; all is done in this process where None.

    Returns
    -------
    list of str
        Addresses of the files, the report's last.

    Raises
    ------
    FoldsFailed
        At the end, where some of these runs have failed; the same call again does these alone.
    """
    request = _asked(request)
    if part_deployment is not None:
        models = _Scoring(request, store, submit).models  # which reads the list, once, for all that follow
        _by_deployment(part_deployment, request, store, [_Part(i, name) for i, name in enumerate(models)])
        _by_deployment(part_deployment, request, store, [_Part(len(models), REPORT_PART)])
    return score_variants(request, store, submit)


@flow(
    name="variants-part",
    flow_run_name="variants-{part}",
    validate_parameters=False,
    task_runner=_RUNNER,
)
@stoppable
def variants_part(request: VariantsRequest | dict[str, Any], store: str, part: str) -> None:
    """Do a part of :func:`variants`: score with one model, or put together what the models found.

    Nothing is written but to the store.

    Parameters
    ----------
    request
        What is asked.
    store
        Where steps keep their outputs.
    part
        Name of a model such as ``fold_0``, or ``report``.

    Raises
    ------
    InputError
        Where there is no such model, or an input is not what it should be.
    """
    scoring = _Scoring(_asked(request), store, submit)
    if part == REPORT_PART:
        scoring.summed()
    elif part in scoring.models:
        scoring.of_model(part)
    else:
        raise InputError(f"part {part}", expected=", ".join([*scoring.models, REPORT_PART]))


def score_variants(request: VariantsRequest, store: str, call: Callable[..., Any] = call_here) -> list[str]:
    """Score variants in this process without Prefect, or with another way to call tasks.

    Parameters
    ----------
    request
        What is asked.
    store
        Where steps keep their outputs.
    call
        How a task is called; it returns a future.

    Returns
    -------
    list of str
        Addresses of the files, the report's last.

    Raises
    ------
    InputError
        Before anything is written, where an input is not what it should be.
    """
    scoring = _Scoring(request, store, call)
    tables, report = scoring.summed()
    folder, files = variant_files(tables, request.output_prefix, scoring.by_chromosome, scoring.listed, report)
    known = {name.removeprefix(f"{split_prefix(request.output_prefix)[1]}."): name for name in files}
    return place_with_links(files, {}, folder, page=known.get("variants.html"), known=known)


def _asked(request: VariantsRequest | dict[str, Any]) -> VariantsRequest:
    return make_part(VariantsRequest, request, "variants") if isinstance(request, dict) else request


def _by_deployment(name: str, request: VariantsRequest, store: str, parts: list[_Part]) -> None:
    asked = {"request": request.absolute().model_dump(mode="json"), "store": store}
    failures = by_deployment(name, {part: asked | {"part": part.name} for part in parts}, "variants")
    if failures:
        raise FoldsFailed(failures, len(parts))


class _Scoring:
    """The steps of a request, whose results the store keeps: whoever comes second finds them.

    Parameters
    ----------
    request
        What is asked.
    store
        Where steps keep their outputs.
    call
        How a task is called; it returns a future.

    Attributes
    ----------
    models
        Name → local path or address.
    listed
        Result of the step that reads the list.
    by_chromosome
        Model → chromosome → results: scores, and contributions where they are asked for.
    """

    def __init__(self, request: VariantsRequest, store: str, call: Callable[..., Any]) -> None:
        shared = request.model_dump(include={"genome", "chrom_sizes", "chromosomes"})
        places = {"scores": split_prefix(request.output_prefix)[0], "store": store}
        models, peaks = {f"model {model}": model for model in request.models}, {"peaks": request.peaks}
        others = {what: getattr(request, what) for what in ("variants", "genes", "hits")}
        check_inputs.fn(DatasetFiles(**shared, regions=peaks, models=models, places=places, others=others))
        self._request, self._store, self._call = request, store, call
        self.models = _models(request, store, call)
        self._naming = naming_of(request.chromosomes.model_dump())
        self.listed: Result = self._step(
            VARIANTS,
            VariantsInputs(variants=request.variants, genome=request.genome, chrom_sizes=request.chrom_sizes),
            VariantsParameters(
                lengths=model_lengths([*self.models.values()]),
                schema=request.table,
                swap_ref=request.swap_ref,
                chroms=tuple(request.chroms) or None,
                naming=self._naming,
            ),
        ).result()
        self.by_chromosome: dict[str, dict[str, list[Result]]] = {}

    def _step(self, step: Step[Any, Any, Any], inputs: Any, parameters: Any) -> Awaited:
        future: Awaited = self._call(step.task, self._store, inputs, parameters)
        return future

    def of_model(self, *names: str) -> None:
        """Score, and explain, all chromosomes with some models, side by side."""
        begun = {name: self._begin(name) for name in names}
        self.by_chromosome |= {
            name: {chrom: [future.result() for future in futures] for chrom, futures in chroms.items()}
            for name, chroms in begun.items()
        }

    def _begin(self, name: str) -> dict[str, list[Awaited]]:
        """Scores, and contributions where they are asked for, of all chromosomes with one model."""
        model, peaks = self.models[name], self._peak_counts(self.models[name])
        background = self._background(model, peaks)
        return {chrom: [*self._chromosome(model, chrom, peaks, background)] for chrom in self.listed.facts["chroms"]}

    def _peak_counts(self, model: str) -> Awaited | None:
        request = self._request
        if not request.peaks:
            return None
        return self._step(
            PEAK_COUNTS,
            PeakCountsInputs(model=model, peaks=request.peaks, genome=request.genome, chrom_sizes=request.chrom_sizes),
            PeakCountsParameters(
                most=request.max_peaks, seed=request.seed, naming=self._naming, precision=request.precision
            ),
        )

    def _background(self, model: str, peaks: Awaited | None) -> Awaited | None:
        request = self._request
        number = request.shuffles or request.shuffles_each * self.listed.facts["variants"]
        if not number:
            return None
        return self._step(
            BACKGROUND,
            BackgroundInputs(model=model, variants=self.listed, genome=request.genome, peaks=peaks),
            BackgroundParameters(
                number=number, chroms=self.listed.facts["chroms"], seed=request.seed, precision=request.precision
            ),
        )

    def _chromosome(self, model: str, chrom: str, peaks: Awaited | None, background: Awaited | None) -> Iterator[Awaited]:
        request, on_chrom = self._request, variants_on(self.listed, chrom)
        yield self._step(
            SCORES,
            ScoresInputs(model=model, variants=on_chrom, genome=request.genome, peaks=peaks, background=background),
            ScoresParameters(
                chrom=chrom, profiles=request.profiles, precision=request.precision, log_probs=self._as_snp_score
            ),
        )
        if request.contributions:
            yield self._step(
                CONTRIBUTIONS,
                ContributionsInputs(model=model, variants=on_chrom, genome=request.genome),
                ContributionsParameters(chrom=chrom, heads=tuple(sorted(request.contributions)), seed=request.seed),
            )

    @property
    def _as_snp_score(self) -> bool:
        """Whether the reference's own table is written, too."""
        return self._request.table == "snp_score" and len(self.models) == 1

    def summed(self) -> tuple[Result, Result | None]:
        """All scores together, and the report."""
        request, chroms = self._request, tuple(self.listed.facts["chroms"])
        self.of_model(*self.models)
        tables: Result = self._step(
            TABLES,
            TablesInputs(
                variants=request.variants,
                listed=self.listed,
                scores=tuple(self.by_chromosome[name][chrom][0] for name in self.models for chrom in chroms),
                peaks=request.peaks,
                genes=request.genes,
                hits=request.hits,
            ),
            TablesParameters(
                models=tuple(self.models),
                chroms=chroms,
                schema=request.table,
                naming=self._naming,
            ),
        ).result()
        return tables, self._report(tables).result() if request.top else None

    def _report(self, tables: Result) -> Awaited:
        request = self._request
        return self._step(
            REPORT,
            ReportInputs(models=tuple(self.models.values()), top=FileOf(tables, TOP), genome=request.genome),
            ReportParameters(
                title=redact(request.variants).rsplit("/", 1)[-1],
                top=request.top,
                variants=tables.facts["variants"],
                models=tuple(tables.facts["models"]),
                left_out=tables.facts["left_out"],
                seed=request.seed,
                precision=request.precision,
            ),
        )


def _models(request: VariantsRequest, store: str, call: Callable[..., Any]) -> dict[str, str]:
    """Name → local path or address of every model."""
    if request.bundle is not None:
        inputs = BundleInputs(tar=tar_of_models(request.bundle))
        unpacked: Result = call(BUNDLE_MODELS.task, store, inputs, BundleParameters()).result()
        return {file.removesuffix(".h5"): str(unpacked.file(file)) for file in sorted(unpacked.manifest["files"])}
    if len(set(request.models)) < len(request.models):
        raise InputError("a model is given twice", remedy="give each fold's model once")
    check_data_set(request.models, request.one_data_set)
    return {f"fold_{number}": model for number, model in enumerate(request.models)}
