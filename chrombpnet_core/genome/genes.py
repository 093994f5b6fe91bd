"""Genes of an annotation in GTF: transcripts with their exons, strand and the gene's name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import numbered_lines, whole_number
from chrombpnet_core.genome.chromosome_names import ALIAS_ADVICE, Naming, same_chromosome

__all__ = ["Transcript", "genes_at", "read_genes"]

_FEATURES = {"exon", "transcript", "gene"}
_ATTRIBUTE = re.compile(r'\b(gene_id|gene_name|transcript_id|gene_type|gene_biotype) "?([^";]+)')


@dataclass(frozen=True, slots=True)
class Transcript:
    """Hold a transcript; coordinates are 0-based and half-open.

    Attributes
    ----------
    chrom
        Its chromosome.
    strand
        ``+``, ``-`` or ``.``.
    gene
        Name of its gene; the identifier where it has no name.
    exons
        Start and end of each, in the order of the chromosome.
    biotype
        Of its gene, such as ``protein_coding``; empty where the file does not tell.
    """

    chrom: str
    strand: str
    gene: str
    exons: tuple[tuple[int, int], ...]
    biotype: str = ""

    @property
    def start(self) -> int:
        """Position of the first base on the chromosome."""
        return self.exons[0][0]

    @property
    def end(self) -> int:
        """Position behind the last base on the chromosome."""
        return max(end for _, end in self.exons)

    @property
    def tss(self) -> int:
        """Position of the first base that is transcribed; without a strand that of the first on the chromosome."""
        return self.end - 1 if self.strand == "-" else self.start


class _Row(NamedTuple):
    chrom: str
    feature: str
    span: tuple[int, int]
    strand: str
    gene_id: str
    gene: str
    transcript: str
    biotype: str


def read_genes(
    path: str | os.PathLike[str], sizes: Mapping[str, int] | None = None, naming: Naming | None = None
) -> list[Transcript]:
    r"""Read the transcripts of an annotation in GTF, as Ensembl, GENCODE, NCBI, UCSC and StringTie write it.

    A gene that has no transcript in the file counts as one of a single exon.

    Parameters
    ----------
    path
        GTF, plain or gzip; rows other than exons, transcripts and genes are not read.
    sizes
        Chromosome → length in bp, to leave out transcripts on other chromosomes; by default all are read.
    naming
        Aliases of chromosome names; needs ``sizes``.

    Returns
    -------
    list of Transcript
        In file order.

    Raises
    ------
    InputError
        If the file cannot be read, with its name and the line, if it is GFF3, or if it has no gene on these chromosomes.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "genes.gtf")
    ...     row = 'chrI\tx\texon\t%d\t%d\t.\t-\t.\tgene_id "YAL1"; transcript_id "YAL1.1"; gene_name "ABC1";\n'
    ...     _ = path.write_text(row % (101, 200) + row % (301, 400))
    ...     (transcript,) = read_genes(path)
    >>> transcript.gene, transcript.exons, transcript.tss
    ('ABC1', ((100, 200), (300, 400)), 399)
    """
    genes: dict[tuple[str, str], _Row] = {}
    parts: dict[tuple[str, str], tuple[_Row, list[tuple[int, int]], list[tuple[int, int]]]] = {}
    for row in _rows(path):
        if row.feature == "gene":
            genes.setdefault((row.chrom, row.gene_id), row)
        else:
            _, exons, wholes = parts.setdefault((row.chrom, row.transcript or row.gene_id), (row, [], []))
            (exons if row.feature == "exon" else wholes).append(row.span)
    types = {key: row.biotype for key, row in genes.items()}
    spans = [(row, tuple(sorted(exons or wholes))) for row, exons, wholes in parts.values()]
    known = {(row.chrom, row.gene_id) for row, _ in spans}
    spans += [(row, (row.span,)) for key, row in genes.items() if key not in known]
    transcripts = [
        Transcript(row.chrom, row.strand, row.gene, exons, row.biotype or types.get((row.chrom, row.gene_id), ""))
        for row, exons in spans
    ]
    if not transcripts:
        raise InputError(f"{path}: no genes", expected="GTF with rows of exons, transcripts or genes")
    return transcripts if sizes is None else _on_chromosomes(transcripts, path, sizes, naming or Naming())


def genes_at(transcripts: Iterable[Transcript], chrom: str, start: int, end: int) -> list[Transcript]:
    """Find the genes of a window, each as the transcript of it with most bases in exons.

    Parameters
    ----------
    transcripts
        Of :func:`read_genes`.
    chrom
        Chromosome of the window.
    start
        Its first position, 0-based.
    end
        The one behind its last.

    Returns
    -------
    list of Transcript
        From the first to the last on the chromosome; introns that span the window count.
    """
    best: dict[tuple[str, str], Transcript] = {}
    for transcript in transcripts:
        if transcript.chrom != chrom or transcript.start >= end or transcript.end <= start:
            continue
        key = transcript.gene, transcript.strand
        if key not in best or _exonic(transcript) > _exonic(best[key]):
            best[key] = transcript
    return sorted(best.values(), key=lambda transcript: (transcript.start, transcript.end, transcript.gene))


def _exonic(transcript: Transcript) -> int:
    return sum(end - start for start, end in transcript.exons)


def _rows(path: str | os.PathLike[str]) -> Iterator[_Row]:
    """Read the rows of exons, transcripts and genes, and refuse those that are not GTF."""
    for number, line in numbered_lines(path, "genes"):
        fields = line.split("\t")
        where = f"{path}, line {number:,}"
        if len(fields) < 9:
            raise InputError(where, expected="nine tab-separated columns of GTF", found=repr(line[:80]))
        chrom, _, feature, first, last, _, strand, _, attributes = fields[:9]
        if feature not in _FEATURES:
            continue
        names: dict[str, str] = dict(_ATTRIBUTE.findall(attributes))
        if "gene_id" not in names:
            raise InputError(
                f"{where}: the gene has no identifier",
                expected='attributes of GTF, such as gene_id "YAL001C"; transcript_id "YAL001C_mRNA"',
                found=repr(attributes[:80]),
                remedy="convert GFF3 to GTF: gffread writes it" if "=" in attributes else "",
            )
        begin, end = whole_number(first), whole_number(last)
        if not begin or not end or end < begin:
            raise InputError(
                f"{where}: columns 4 and 5",
                expected="the first and the last position, counted from 1",
                found=f"{first[:20]!r} and {last[:20]!r}",
            )
        gene_id = names["gene_id"]
        gene = names.get("gene_name", gene_id)
        biotype = names.get("gene_type") or names.get("gene_biotype", "")
        yield _Row(chrom, feature, (begin - 1, end), strand, gene_id, gene, names.get("transcript_id", ""), biotype)


def _on_chromosomes(
    transcripts: list[Transcript], path: str | os.PathLike[str], sizes: Mapping[str, int], naming: Naming
) -> list[Transcript]:
    """Give chromosomes the genome's names, and leave out transcripts on others."""
    names = dict.fromkeys(transcript.chrom for transcript in transcripts)
    changed = naming.translate(names, sizes)
    kept = [
        replace(transcript, chrom=changed[transcript.chrom]) if transcript.chrom in changed else transcript
        for transcript in transcripts
        if changed.get(transcript.chrom, transcript.chrom) in sizes
    ]
    if not kept:
        first = next(iter(names))
        twin = same_chromosome(first, sizes)
        raise InputError(
            f"{path}: none of the {len(names):,} chromosomes of the genes is in the genome",
            found=", ".join([*names][:3]) + (", …" if len(names) > 3 else ""),
            remedy=f"the genome calls it {twin}: {ALIAS_ADVICE}rename one of them"
            if twin
            else "give genes of this assembly",
        )
    return kept
