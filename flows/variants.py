"""The flow that scores variants: every chromosome with every model, then what they say together, and a report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel, ConfigDict, Field, model_validator

from chrombpnet_core.errors import InputError
from flows.environment import stoppable
from flows.parts import call_here
from flows.spec import Chromosomes, Count, Positive, Seed, make_part
from tasks.inputs import naming_of
from tasks.publishing import place_files
from tasks.store import redact, require, require_place, split_prefix
from tasks.variant_tables import bundle_models, report_variants, tabulate, unpack_models, variant_files
from tasks.variants import model_lengths, predict_peaks, read_list, score_background, score_chromosome, variants_of

__all__ = ["VariantsRequest", "score_variants", "variants"]

_AT_ONCE = 2  # tasks of a process: while one waits for its device, the other makes windows

Schema = Literal["chrombpnet", "original", "plink", "plink2", "bed", "snp_score", "vcf"]


class VariantsRequest(BaseModel):
    """What is asked of the flow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variants: str = Field(description="VCF, BCF, or a table of the schema; plain or compressed")
    genome: str
    models: list[str] = Field(default=[], description="chrombpnet_nobias.h5 of each fold")
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
    precision: Literal["float32", "tf32"] = "float32"
    seed: Seed = 1234
    chromosomes: Chromosomes = Chromosomes()

    @model_validator(mode="after")
    def _models_or_bundle(self) -> VariantsRequest:
        if bool(self.models) == (self.bundle is not None):
            raise ValueError("give either models or a bundle")
        return self


@flow(name="variants", validate_parameters=False, task_runner=ThreadPoolTaskRunner(max_workers=_AT_ONCE))
@stoppable
def variants(request: VariantsRequest | dict[str, Any], store: str) -> list[str]:
    """Score variants with all models, chromosomes and models side by side; addresses of the files, the report's last."""
    if isinstance(request, dict):
        request = make_part(VariantsRequest, request, "variants")
    return score_variants(request, store, lambda task, *arguments, **named: task.submit(*arguments, **named))


def score_variants(request: VariantsRequest, store: str, call: Callable[..., Any] = call_here) -> list[str]:
    """The same without Prefect, in this process, or with another way to ``call`` tasks, which gives futures.

    Raises
    ------
    InputError
        Before anything is written, where an input is not what it should be.
    """
    require_place(split_prefix(request.output_prefix)[0], "scores")
    for what in ("variants", "genome", "chrom_sizes", "peaks", "genes", "hits"):
        if getattr(request, what):
            require(getattr(request, what), what.replace("_", " "))
    models = _models(request, store, call)
    naming = naming_of(request.chromosomes.model_dump()).to_json()
    genome, sizes, seed, precision = request.genome, request.chrom_sizes, request.seed, request.precision
    listed = call(read_list, store, request.variants, genome, sizes, model_lengths([*models.values()]), request.table,
                  request.swap_ref, request.chroms or None, naming).result()
    number = request.shuffles or request.shuffles_each * listed.facts["variants"]
    scored: dict[str, dict[str, Any]] = {}
    for name, model in models.items():
        peaks = call(predict_peaks, store, model, request.peaks, genome, sizes, request.max_peaks, seed, naming,
                     precision) if request.peaks else None
        background = call(score_background, store, model, listed, genome, number, seed, peaks, precision) if number else None
        scored[name] = {chrom: call(score_chromosome, store, model, variants_of(listed, chrom), chrom, genome, peaks,
                                    background, request.profiles, precision) for chrom in listed.facts["chroms"]}
    done = {name: {chrom: each.result() for chrom, each in chroms.items()} for name, chroms in scored.items()}
    tables = call(tabulate, store, request.variants, listed, done, request.table, request.peaks, request.genes, request.hits,
                  max(request.top, 1), naming).result()
    title = redact(request.variants).rsplit("/", 1)[-1]
    report = call(report_variants, store, [*models.values()], tables, genome, title, seed, precision).result() \
        if request.top else None
    folder, files = variant_files(tables, request.output_prefix, done, listed, report)
    return place_files(files, {}, folder)


def _models(request: VariantsRequest, store: str, call: Callable[..., Any]) -> dict[str, str]:
    """Name → local path or address of every model."""
    if request.bundle is not None:
        unpacked = call(unpack_models, store, bundle_models(request.bundle)).result()
        return {file.removesuffix(".h5"): str(unpacked.file(file)) for file in sorted(unpacked.manifest["files"])}
    if len(set(request.models)) < len(request.models):
        raise InputError("a model is given twice", remedy="give each fold's model once")
    for model in request.models:
        require(model, "model")
    return {f"fold_{number}": model for number, model in enumerate(request.models)}
