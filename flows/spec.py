"""DatasetSpec: the one input schema of flows, command line and deployments.

Strict: an unknown key is refused. Relative paths in a file are relative to that file. ``chrombpnet run --schema`` prints the
JSON schema; docs/dataset.md is the documented example.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import line_of_key, read_yaml
from flows.spec_addresses import READ_KEYS, map_addresses, resolve_paths
from flows.spec_errors import LineOf, error_in_words
from tasks.storage import hide_secrets

__all__ = [
    "Background",
    "BiasModel",
    "Chromosomes",
    "DatasetSpec",
    "FoldChromosomes",
    "MainModel",
    "Reads",
    "Training",
    "absolute_spec",
    "make_part",
    "make_spec",
    "map_addresses",
    "read_spec",
    "resolve_paths",
]

Part = TypeVar("Part", bound=BaseModel)
Positive = Annotated[int, Field(ge=1, lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Chromosome = Annotated[str, BeforeValidator(lambda name: str(name) if isinstance(name, int) else name)]
Shift = Annotated[int, Field(ge=-100, le=100)]
_LONGEST_TITLE = 120  # letters: a line of a report


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_no_truths(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse yes and true where a number is due: they would count as 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("Input should be a valid integer, number or text, not true or false")
        return value


def _all_differ(values: list[float]) -> list[float]:
    if len(set(values)) < len(values):
        raise ValueError("a number is given twice")
    return values


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    if not 0 < len(text) <= _LONGEST_TITLE or not text.isprintable():
        raise ValueError(f"give 1 to {_LONGEST_TITLE} printable letters")
    return text


class Reads(_Strict):
    """Sequencing reads: one kind, one or more files, local or remote."""

    bam: list[str] = Field(default=[], description="BAM files, filtered as wanted; no index needed")
    fragments: list[str] = Field(default=[], description="fragment files (chrom, start, end, …), plain or gzip")
    single_end: list[str] = Field(
        default=[],
        description="single-end fragment files (chrom, start, end, barcode, count, strand): a line is one read, and counts "
        "at its 5' end alone",
    )
    tagalign: list[str] = Field(default=[], description="tagAlign files (BED6), plain or gzip")
    bigwig: list[str] = Field(
        default=[],
        description="bigWig of unstranded insertions per base, shift-corrected, in place of reads; several are added up",
    )
    plus_shift: Shift | None = Field(
        default=None, description="shift of + reads already in the input, in bp; estimated where absent"
    )
    minus_shift: Shift | None = Field(default=None, description="shift of − reads already in the input, in bp")
    reference_matrices: str | None = Field(
        default=None, description="enzyme matrices for the shift estimate in place of the built-in ones"
    )
    num_samples: Positive = Field(default=10_000, description="reads of each strand that the shift is estimated from")
    min_mapq: Annotated[int, Field(ge=0, le=255)] = Field(default=0, description="least mapping quality (BAM)")
    exclude_flags: Annotated[int, Field(ge=0, lt=1 << 16)] = Field(
        default=0, description="alignments with any of these SAM flags are left out (BAM), such as 780 or 1804"
    )
    dedup: bool = Field(
        default=False, description="count duplicates once: one chromosome, strand, 5' end and other end of the fragment"
    )
    use_counts: bool = Field(default=False, description="count a fragment as often as its column 5 says")
    accept_reads: bool = Field(
        default=False, description="read text as the kind that it is given as, though its lines look like another kind"
    )
    accept_bigwig: bool = Field(
        default=False,
        description="take bigWigs though their values do not look like insertions; the report says so",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Reads:
        if sum(bool(getattr(self, kind)) for kind in READ_KEYS) != 1:
            raise ValueError("give exactly one kind of reads: bam, fragments, single_end, tagalign or bigwig")
        if self.bigwig and self.plus_shift is not None:
            raise ValueError("a bigWig of insertions is taken as it is: it has no shift to state")
        if (self.plus_shift is None) != (self.minus_shift is None):
            raise ValueError("give plus_shift and minus_shift together")
        return self

    @property
    def kind(self) -> str:
        """``bam``, ``fragments``, ``single_end``, ``tagalign`` or ``bigwig``."""
        return next(kind for kind in READ_KEYS if getattr(self, kind))

    @property
    def accept(self) -> bool:
        """Whether the files are taken though they look like another kind."""
        return self.accept_bigwig if self.bigwig else self.accept_reads

    @property
    def files(self) -> list[str]:
        """The files of that kind."""
        files: list[str] = getattr(self, self.kind)
        return files


class FoldChromosomes(_Strict):
    """A chromosome split written out; names such as 1 need no quotes."""

    train: list[Chromosome]
    valid: list[Chromosome]
    test: list[Chromosome]


FoldChoice = Annotated[
    Annotated[str, Tag("=path")] | Annotated[FoldChromosomes, Tag("=chromosomes")],
    Discriminator(lambda fold: "=path" if isinstance(fold, str) else "=chromosomes"),
]


Folds = Annotated[
    Annotated[int, Field(strict=True, ge=2), Tag("=number")]
    | Annotated[list[FoldChoice], Field(min_length=1), Tag("=list")],
    Discriminator(lambda folds: "=number" if isinstance(folds, int) else "=list"),
]

Factor = Annotated[float, Field(gt=0)]
Factors = Annotated[
    Annotated[Factor, Tag("=number")]
    | Annotated[list[Factor], Field(min_length=1), AfterValidator(_all_differ), Tag("=list")],
    Discriminator(lambda factors: "=list" if isinstance(factors, list) else "=number"),
]


class Chromosomes(_Strict):
    """What chromosomes are called in other files than the genome, and which are left out."""

    alias: str | None = Field(
        default=None,
        description="auto: chr1 and 1, chrM and MT are the same; or a table of two "
        "columns, a name and the genome's name for it",
    )
    exclude: list[Chromosome] = Field(
        default=[], description="chromosomes of the genome to leave out with their reads and regions, such as chrM"
    )


class Background(_Strict):
    """How GC-matched nonpeaks are drawn where none are given."""

    stride: Positive = Field(default=1000, description="distance between candidate windows in bp")
    ratio: Positive = Field(default=2, description="nonpeaks per peak on train and valid chromosomes (test: 1)")


class BiasModel(_Strict):
    """The bias model: trained here, or a given file."""

    model: str | None = Field(default=None, description="a bias.h5 to use; nothing is trained then")
    threshold_factor: Factors = Field(
        default=0.5,
        description="nonpeaks below quantile(peak counts, 0.01) × this train the model; 0.5 for ATAC, "
        "0.8 for DNASE as a start. Of several the best on the first fold is taken for all",
    )
    filters: Positive = 128
    layers: Positive = 4
    epochs: Positive = 50

    @property
    def factors(self) -> list[float]:
        """The threshold factors to choose from."""
        return self.threshold_factor if isinstance(self.threshold_factor, list) else [self.threshold_factor]


class MainModel(_Strict):
    """The main model."""

    filters: Positive = 512
    layers: Positive = 8
    epochs: Positive = 50
    jitter: Count = Field(default=500, description="largest shift of a peak each epoch, in bp")
    negative_sampling_ratio: Annotated[float, Field(ge=0)] = Field(default=0.1, description="nonpeaks per peak an epoch")
    architecture: str | None = Field(
        default=None, description="a Python file that defines build(filters, n_dil_layers, inputlen, outputlen); it is run"
    )


class Training(_Strict):
    """How both models are trained."""

    patience: Positive = 5
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    batch_size: Positive = 64
    outlier_threshold: Annotated[float, Field(gt=0.5, le=1)] = 0.9999
    seed: Seed = 1234
    device: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        default="tf32", description="of products on a GPU; bfloat16 keeps weights, heads and losses in float32"
    )
    xla: bool = Field(default=False, description="compile TensorFlow's steps with XLA; JAX always does")
    gpus: Positive = Field(default=1, description="GPUs of this host that share each batch")


class Explanation(_Strict):
    """What each base adds to the predictions, and the motifs in that."""

    peaks: Count = Field(
        default=30_000, description="peaks that are explained at most, drawn by the seed; 0: nothing is explained"
    )
    counts: bool = Field(default=False, description="explain the main model's counts too; the bias model's always are")
    max_seqlets: Positive = Field(default=50_000, description="sites of each sign that TF-MoDISco clusters at most")
    window: Positive = Field(default=500, description="bp around each peak's summit that are searched for motifs")
    motifs: str = Field(
        default="jaspar:vertebrates",
        description="known motifs to compare with: jaspar:<taxon>, such as "
        "fungi, insects, plants, or a file in MEME's format",
    )


class DatasetSpec(_Strict):
    """One data set: everything from reads and peaks to a report."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] = Field(
        default="dataset", description="short name of the data set, in reports and names of folders"
    )
    name: Annotated[str, AfterValidator(_one_line)] | None = Field(
        default=None, description="name of the sample as reports show it, such as 'K562, replicate 1'; the id where absent"
    )
    assay: Literal["ATAC", "DNASE"]
    reads: Reads
    genome: str = Field(description="FASTA, plain, gzip or bgzip")
    chrom_sizes: str | None = Field(
        default=None, description="names and lengths of the chromosomes to use; all of the FASTA where absent"
    )
    peaks: str = Field(description="narrowPeak, or BED (the middle of the interval is the summit then)")
    nonpeaks: str | None = Field(default=None, description="narrowPeak of background regions; drawn where absent")
    blacklist: str | None = Field(default=None, description="BED of regions that nonpeaks must not touch")
    genes: str | None = Field(
        default=None, description="genes in GTF: drawn in the report, and for the enrichment at transcription starts"
    )
    exclude_blacklisted_peaks: bool = Field(
        default=False, description="leave out peaks near the blacklist too: within half the input length"
    )
    folds: Folds = Field(
        description="chromosome splits: paths of fold JSON files, or written out; or the number of folds "
        "to make, balanced by length and peaks"
    )
    folds_at_once: Positive = Field(
        default=1, description="folds that run at a time, each in a process and on a GPU of its own"
    )
    input_length: Positive = 2114
    output_length: Positive = 1000
    chromosomes: Chromosomes = Chromosomes()
    background: Background = Background()
    bias: BiasModel = BiasModel()
    model: MainModel = MainModel()
    training: Training = Training()
    explanation: Explanation = Explanation()
    assembly: str | None = Field(
        default=None, description="name of the genome in browsers, such as hg38: sessions and a track hub then use theirs"
    )
    truth: str | None = Field(default=None, description="truth.json of simulated data: the report compares with it")
    output: str = Field(description="folder for the results")
    publish: str | None = Field(default=None, description="folder or address for a bundle in the shape of the ENCODE portal")

    @property
    def title(self) -> str:
        """What reports call the data set."""
        return self.name or self.id

    @property
    def fold_list(self) -> list[str | FoldChromosomes]:
        """The folds of a data set that has them written out."""
        if isinstance(self.folds, int):
            raise ValueError("the folds are not written out")
        return self.folds

    @model_validator(mode="after")
    def _lengths(self) -> DatasetSpec:
        if self.output_length > self.input_length:
            raise ValueError(f"output_length {self.output_length} is greater than input_length {self.input_length}")
        if self.exclude_blacklisted_peaks and not self.blacklist:
            raise ValueError("exclude_blacklisted_peaks is asked for without a blacklist")
        return self


def read_spec(path: str) -> DatasetSpec:
    """Read a DatasetSpec from YAML or JSON.

    Parameters
    ----------
    path
        The file; relative paths in it are relative to its folder.

    Returns
    -------
    DatasetSpec
        The data set.

    Raises
    ------
    InputError
        Naming the file, the key, what was expected and found.
    """
    content = read_yaml(path, "data set")
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a data set", expected="keys such as assay, reads, genome, peaks, folds, output")
    content = resolve_paths(content, Path(path).resolve().parent)
    return make_spec(content, str(path), line_of=functools.partial(line_of_key, path))


def make_spec(
    content: dict[str, Any], where: str, flags: dict[str, str] | None = None, line_of: LineOf | None = None
) -> DatasetSpec:
    """Check a mapping and make a DatasetSpec of it; ``where`` begins the error message, ``flags`` renames keys in it."""
    return make_part(DatasetSpec, content, where, flags, line_of)


def make_part(
    kind: type[Part],
    content: dict[str, Any],
    where: str,
    flags: dict[str, str] | None = None,
    line_of: LineOf | None = None,
) -> Part:
    """:func:`make_spec` for a DatasetSpec or one of its sections."""
    try:
        return kind.model_validate(hide_secrets(content))
    except ValidationError as error:
        raise error_in_words(kind, error, where, flags, line_of) from error


def absolute_spec(spec: DatasetSpec) -> DatasetSpec:
    """Make local paths absolute, for processes in other folders."""
    return DatasetSpec.model_validate(resolve_paths(spec.model_dump(mode="json"), Path.cwd()))
