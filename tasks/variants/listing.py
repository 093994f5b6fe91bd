"""The step that reads a list of variants, checks it against the genome, and divides it by chromosome."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from chrombpnet_core.errors import counted
from chrombpnet_core.progress import bar
from chrombpnet_core.variants import LEFT_OUT_COLUMNS, VariantChecker, read_variants
from tasks.runner import At, FileOf, Result, Source, Step, Work
from tasks.steps import GenomeInputs, GenomeParameters, reference

__all__ = ["LEFT_OUT", "VARIANTS", "VariantsInputs", "VariantsParameters", "variants_on"]

log = logging.getLogger(__name__)

LEFT_OUT = "left_out.tsv"
"""Of the variants that are not scored: line or record, variant, why."""


@dataclass(frozen=True, kw_only=True)
class VariantsInputs(GenomeInputs[At]):
    """A VCF, BCF or table of variants."""

    variants: At


@dataclass(frozen=True, kw_only=True)
class VariantsParameters(GenomeParameters):
    """How variants are read and which are taken.

    Attributes
    ----------
    lengths
        Input and output length of the models in bp.
    schema
        One of :data:`chrombpnet_core.variants.VARIANT_SCHEMAS`.
    swap_ref
        Whether alleles of which the second is the genome's are exchanged.
    chroms
        Variants on these chromosomes alone are taken; all where None.
    """

    lengths: tuple[int, int]
    schema: str = "chrombpnet"
    swap_ref: bool = False
    chroms: tuple[str, ...] | None = field(
        default=None, metadata={"json": lambda names: sorted({*names}) if names else None}
    )


def _read(work: Work[VariantsInputs[Path], VariantsParameters]) -> None:
    parameters = work.parameters
    chroms: dict[str, dict[str, Any]] = {}
    with reference(work.inputs, parameters.naming) as (genome, sizes):
        names = list(parameters.chroms) if parameters.chroms else None
        checker = VariantChecker(genome, sizes, parameters.lengths, parameters.naming, names, parameters.swap_ref)
        with bar("reading variants", None, "variants") as progress:
            for table in read_variants(work.inputs.variants, parameters.schema):
                scored, left_out = checker.check(table)
                _append(left_out[LEFT_OUT_COLUMNS], work.out / LEFT_OUT)
                for chrom, rows in scored.groupby("chr", sort=False):
                    entry = chroms.setdefault(str(chrom), {"file": f"chromosome-{len(chroms) + 1:04d}.tsv", "variants": 0})
                    entry["variants"] += len(rows)
                    _append(rows, work.out / entry["file"])
                progress.update(len(table))
        checker.finish(work.inputs.variants)
    work.facts |= {
        "variants": checker.scored,
        "chroms": chroms,
        "left_out": dict(checker.reasons),
        "swapped": checker.swapped,
    }
    log.info("%s on %s", counted(checker.scored, "variants"), counted(len(chroms), "chromosomes"))


def _append(table: pd.DataFrame, path: Path) -> None:
    """Add rows to a TSV, which has a header once."""
    if len(table) or not path.exists():
        table.to_csv(path, sep="\t", index=False, mode="a", header=not path.exists(), quoting=3, quotechar="\a")


VARIANTS = Step(
    name="variants",
    version=1,
    title="Read variants",
    inputs=VariantsInputs[Source],
    parameters=VariantsParameters,
    body=_read,
)


def variants_on(listed: Result, chrom: str) -> FileOf:
    """Name the file of variants of one chromosome as the input of a step.

    Parameters
    ----------
    listed
        Result of :data:`VARIANTS`.
    chrom
        One of its fact ``chroms``.

    Returns
    -------
    FileOf
        A TSV.
    """
    return FileOf(listed, listed.facts["chroms"][chrom]["file"])
