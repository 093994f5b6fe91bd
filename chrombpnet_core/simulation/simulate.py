"""A small genome of known truth, for tests and for the demo: what opens chromatin and where the enzyme likes to cut.

The expected insertions at a base are ``accessibility × bias``. Accessibility is a flat background plus, at every
planted transcription factor site, two hills around a footprint. Bias is log-linear in the 19 bases around the base (20
for DNase), after the mean of the enzyme's reference matrices made the same on both strands, and has mean 1. So log
rates add up, as the two halves of ChromBPNet do, and
:func:`~chrombpnet_core.simulation.planted_truth.check_models` can hold a trained
pair of models against what was planted.

An insertion at base ``c`` (the target convention, REFERENCE.md 2) is one end of a fragment: unshifted ATAC fragments
begin at ``c - 4`` or end at ``c + 5``; DNase fragments begin or end at ``c``.
"""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import OTHER_BASE, Fold, codes_of, enzyme_matrices, reverse_complement, write_regions

__all__ = ["DEMO", "FORMATS", "TINY", "Motif", "Settings", "Simulation", "cut_scores", "log_preference", "simulate"]

FORMATS = ("fragments", "bam", "tagalign")
_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)
_SHARES = {"chr1": 0.22, "chr2": 0.18, "chr3": 0.16, "chr4": 0.15, "chr5": 0.13, "chr6": 0.10, "chr7": 0.06}
_PARTS = Fold(train=("chr1", "chr2", "chr4", "chr6", "chr7"), valid=("chr5",), test=("chr3",))
_ENDS = {"ATAC": (-4, 5), "DNASE": (0, 0)}  # start and end of an unshifted fragment, seen from its insertions
_EDGE = 30  # bp at chromosome ends without insertions
_READ = 50  # bp
_FARTHEST = 8  # bp that reads may be shifted: a shortest fragment keeps a length
_SHORTEST = 21  # bp between the insertions of a fragment


@dataclass(frozen=True)
class Motif:
    """A planted motif: each site adds ``height`` × background to accessibility, in hills around a footprint.

    At ``d`` bp from the site's middle it adds height · exp(−|d|/reach) · (1 − depth · exp(−(d/width)⁸)): the footprint
    has sharp edges, and the hills are highest at them.
    A planted site has the consensus letter with probability ``fidelity``, else another.
    """

    name: str
    consensus: str
    height: float
    reach: float
    depth: float
    width: float
    fidelity: float = 0.98

    def shape(self, distance: np.ndarray) -> np.ndarray:
        """What one site adds to accessibility, as a multiple of the background, at distances in bp."""
        hill = np.exp(-np.abs(distance) / self.reach)
        return self.height * hill * (1 - self.depth * np.exp(-((distance / self.width) ** 8)))


# Palindromes with CpG in a genome where CpG is rare, and sharp footprints: what a small model learns soonest.
MOTIFS = (
    Motif("CREB1", "GGTGACGTCACC", height=36, reach=32, depth=0.85, width=9),
    Motif("NRF1", "TGCGCATGCGCA", height=44, reach=26, depth=0.75, width=8),
    Motif("ZBTB33", "TTCTCGCGAGAA", height=30, reach=42, depth=0.90, width=12),
)


@dataclass(frozen=True)
class Settings:
    """What is planted.

    Parameters
    ----------
    assay
        ``ATAC`` or ``DNASE``: whose reference matrices, whose cut geometry.
    size
        Bases of the genome, split over seven chromosomes.
    spacing
        Bases of genome per open locus.
    background
        Insertions per base of closed chromatin.
    sharpness
        Factor on the enzyme's log preference; 1 gives back the base frequencies of the reference matrices.
    seed
        Of everything drawn.
    motifs
        The planted motifs.
    """

    assay: str = "ATAC"
    size: int = 2_400_000
    spacing: int = 5_000
    background: float = 0.1
    sharpness: float = 1.25
    seed: int = 1234
    motifs: tuple[Motif, ...] = MOTIFS

    def check(self) -> None:
        """Raise :class:`InputError` where nothing sensible can be drawn."""
        if self.assay not in _ENDS:
            raise InputError("simulation: assay", expected=" or ".join(_ENDS), found=repr(self.assay))
        if self.spacing < 2_000:
            raise InputError(
                "simulation: spacing of open loci",
                expected="2000 bp or more",
                found=str(self.spacing),
                remedy="room for background is needed between them",
            )
        if self.size * min(_SHARES.values()) < self.spacing:
            raise InputError(
                "simulation: genome size",
                found=f"{self.size:,} bp",
                expected=f"{int(np.ceil(self.spacing / min(_SHARES.values()))):,} bp or more, so that "
                "the smallest chromosome has an open locus",
            )
        if self.background <= 0 or self.sharpness < 0:
            raise InputError(
                "simulation",
                expected="a positive background and a sharpness of 0 or more",
                found=f"{self.background} and {self.sharpness}",
            )
        if not self.motifs or any(
            OTHER_BASE in codes_of(motif.consensus) or not 6 <= len(motif.consensus) <= 40 for motif in self.motifs
        ):
            raise InputError(
                "simulation: motifs",
                expected="at least one, each of 6 to 40 letters A, C, G and T",
                found=repr([motif.consensus for motif in self.motifs]),
            )


DEMO = Settings()
"""The genome of ``chrombpnet demo``: models that two cores train in two minutes pass its checks."""
TINY = Settings(size=350_000, spacing=7_000)
"""For tests of machinery: seconds to train, nothing promised of the result."""


@dataclass(frozen=True)
class Simulation:
    """Paths of what :func:`simulate` wrote; reads of a format that was not asked for are None."""

    folder: Path
    genome: Path
    sizes: Path
    peaks: Path
    fold: Path
    truth: Path
    fragments: Path | None = None
    bam: Path | None = None
    tagalign: Path | None = None


def cut_scores(assay: str, sharpness: float = 1.0) -> np.ndarray:
    """Log preference of the enzyme for each base around its cut, the same read from either strand.

    Mean over the reference matrices of log frequency against the matrix's own composition, averaged with its reverse
    complement about the insertion (ATAC: base ``c``; DNase: the bond before it), each position centred on 0.

    Returns
    -------
    ``(19, 4)`` for ATAC, of bases ``c - 9 … c + 9``; ``(20, 4)`` for DNase, of bases ``c - 10 … c + 9``.
    """
    matrices = [matrix for strand in enzyme_matrices(assay).values() for matrix in strand.values()]
    scores = np.mean([np.log(matrix / matrix.mean(axis=0)) for matrix in matrices], axis=0)
    scores = scores[1:] if assay == "ATAC" else scores
    scores = (scores + scores[::-1, ::-1]) / 2
    return sharpness * (scores - scores.mean(axis=1, keepdims=True))


def log_preference(codes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Log preference at every base, float64 ``(length,)``, of base codes ``(length,)``; other letters score 0."""
    before = len(scores) // 2
    padded = np.pad(codes, (before, len(scores) - 1 - before), constant_values=OTHER_BASE)
    table = np.hstack([scores, np.zeros((len(scores), 1))])
    return sum(table[k][padded[k : k + len(codes)]] for k in range(len(scores)))


def simulate(
    folder: str | os.PathLike,
    settings: Settings = DEMO,
    shift: tuple[int, int] = (0, 0),
    formats: tuple[str, ...] = FORMATS,
    bgzip: bool = False,
) -> Simulation:
    """Draw a genome, its open loci and its reads, and write them with their truth.

    Parameters
    ----------
    folder
        Made if absent. Receives genome.fa(.gz), chrom.sizes, peaks.narrowPeak, fold_0.json, fragments.tsv.gz, reads.bam
        (with index), reads.tagAlign.gz, truth.npz and truth.json. The same settings give the same bytes.
    settings
        What is planted; checked here.
    shift
        Added to the fragments' starts and ends before they are written: (0, 0) is what an aligner gives, (4, -5) and
        (4, -4) are common for ATAC, (0, 1) for DNase.
    formats
        Which of :data:`FORMATS` to write; they hold the same fragments.
    bgzip
        Whether the genome is compressed.

    Raises
    ------
    InputError
        For settings that cannot be drawn and unknown formats.
    """
    settings.check()
    if unknown := set(formats) - set(FORMATS):
        raise InputError("simulation: formats", expected=f"some of {', '.join(FORMATS)}", found=", ".join(unknown))
    if max(map(abs, shift)) > _FARTHEST:
        raise InputError("simulation: shift", expected=f"at most {_FARTHEST} bp either way", found=str(tuple(shift)))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(settings.seed)
    sizes = {chrom: int(settings.size * share) for chrom, share in _SHARES.items()}
    genome = _draw_genome(sizes, rng)
    sites = _plant_sites(genome, settings, rng)
    accessibility = _accessibility(sizes, sites, settings)
    scores = cut_scores(settings.assay, settings.sharpness)
    bias = _bias(genome, scores)
    fragments = _draw_fragments(accessibility, bias, settings.assay, shift, rng)
    paths = {
        "genome": folder / ("genome.fa.gz" if bgzip else "genome.fa"),
        "sizes": folder / "chrom.sizes",
        "peaks": folder / "peaks.narrowPeak",
        "fold": folder / "fold_0.json",
        "truth": folder / "truth.json",
    }
    _write_genome(genome, paths["genome"], bgzip)
    paths["sizes"].write_text("".join(f"{chrom}\t{size}\n" for chrom, size in sizes.items()))
    write_regions(_peaks(sites, accessibility, rng), paths["peaks"])
    _PARTS.write(paths["fold"])
    _write_truth(paths["truth"], settings, shift, scores, sites, accessibility, bias, rng)
    writers = {
        "fragments": (folder / "fragments.tsv.gz", _write_fragments),
        "bam": (folder / "reads.bam", _write_bam),
        "tagalign": (folder / "reads.tagAlign.gz", _write_tagalign),
    }
    for name in formats:
        paths[name], write = writers[name]
        write(fragments, sizes, paths[name])
    return Simulation(folder, **paths)


def _draw_genome(sizes: dict[str, int], rng: np.random.Generator, piece: int = 2_000) -> dict[str, np.ndarray]:
    """First-order Markov sequence whose GC content drifts from piece to piece and in which CpG is rare."""
    count = -(-sum(sizes.values()) // piece)
    drift = np.empty(count)
    level = 0.0
    for i, step in enumerate(rng.normal(size=count)):
        level = drift[i] = 0.7 * level + 0.7 * step
    gc = np.clip(0.51 + 0.045 * drift, 0.38, 0.64)[:, None]
    composition = np.hstack([(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
    follows = np.array([[1.15, 0.9, 1.1, 0.9], [1.15, 1.1, 0.35, 1.15], [1.0, 1.0, 1.1, 0.9], [0.8, 1.0, 1.15, 1.15]])
    chances = composition[:, None, :] * follows  # (piece, base before, base)
    cumulated = np.cumsum(chances / chances.sum(axis=2, keepdims=True), axis=2)[:, :, :3]
    codes = np.empty((piece, count), dtype=np.uint8)
    rows, before = np.arange(count), np.full(count, 0)
    for i, draw in enumerate(rng.random((piece, count), dtype=np.float32)):
        before = codes[i] = (draw[:, None] > cumulated[rows, before]).sum(axis=1)
    ends = np.cumsum(list(sizes.values()))[:-1]
    return dict(zip(sizes, np.split(codes.T.ravel()[: sum(sizes.values())].copy(), ends), strict=True))


def _plant_sites(genome: dict[str, np.ndarray], settings: Settings, rng: np.random.Generator) -> pd.DataFrame:
    """Write one to four sites per locus into the genome; a table of them."""
    rows = []
    for chrom, codes in genome.items():
        count = len(codes) // settings.spacing
        slot = len(codes) / count
        for locus in range(count):
            centre = int(slot * locus + slot / 2 + rng.uniform(-0.2, 0.2) * slot)
            offsets = np.cumsum(rng.integers(60, 150, rng.choice([1, 2, 3, 4], p=[0.15, 0.3, 0.35, 0.2])))
            for offset in offsets - offsets.mean():
                middle = int(centre + offset)
                motif = settings.motifs[rng.integers(len(settings.motifs))]
                letters = codes_of(motif.consensus)
                changed = rng.random(letters.size) >= motif.fidelity
                letters = np.where(changed, (letters + rng.integers(1, 4, letters.size)) % 4, letters).astype(np.uint8)
                strand = "+-"[rng.integers(2)]
                start = middle - letters.size // 2
                codes[start : start + letters.size] = letters if strand == "+" else reverse_complement(letters)
                rows.append(
                    (
                        chrom,
                        start,
                        start + letters.size,
                        strand,
                        motif.name,
                        f"{chrom}_{locus}",
                        _LETTERS[letters].tobytes().decode(),
                    )
                )
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "strand", "motif", "locus", "sequence"])


def _accessibility(sizes: dict[str, int], sites: pd.DataFrame, settings: Settings) -> dict[str, np.ndarray]:
    tracks = {chrom: np.full(size, settings.background) for chrom, size in sizes.items()}
    shapes = {motif.name: motif for motif in settings.motifs}
    for site in sites.itertuples():
        motif, middle = shapes[site.motif], (site.start + site.end - 1) / 2
        far = 12 * motif.reach
        near = np.arange(max(0, int(middle - far)), min(sizes[site.chrom], int(middle + far) + 1))
        tracks[site.chrom][near] += settings.background * motif.shape(near - middle)
    return {chrom: track.astype(np.float32) for chrom, track in tracks.items()}


def _bias(genome: dict[str, np.ndarray], scores: np.ndarray) -> dict[str, np.ndarray]:
    """Preference of mean 1 over the genome; 0 near chromosome ends, where a fragment would not fit."""
    tracks = {chrom: np.exp(log_preference(codes, scores)) for chrom, codes in genome.items()}
    mean = np.mean(np.concatenate(list(tracks.values())))
    for track in tracks.values():
        track[:_EDGE] = track[len(track) - _EDGE :] = 0
    return {chrom: (track / mean).astype(np.float32) for chrom, track in tracks.items()}


def _draw_fragments(
    accessibility: dict[str, np.ndarray],
    bias: dict[str, np.ndarray],
    assay: str,
    shift: tuple[int, int],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Poisson insertions joined two by two: a table of chrom, start, end, barcode, sorted by place."""
    barcodes = _LETTERS[rng.integers(0, 4, (64, 16))]
    names = np.array([row.tobytes().decode() + "-1" for row in barcodes])
    parts = []
    for chrom, track in accessibility.items():
        counts = rng.poisson(track.astype(np.float64) * bias[chrom])
        first, last = _join(np.repeat(np.arange(counts.size), counts), rng)
        parts.append(
            pd.DataFrame(
                {
                    "chrom": chrom,
                    "start": first + _ENDS[assay][0] + shift[0],
                    "end": last + _ENDS[assay][1] + shift[1],
                    "barcode": names[rng.integers(0, len(names), first.size)],
                }
            )
        )
        parts[-1] = parts[-1].sort_values(["start", "end", "barcode"], kind="stable")
    return pd.concat(parts, ignore_index=True)


def _join(positions: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pair sorted insertions into fragments, each insertion used once, so that every end keeps its planted rate.

    From left to right an insertion is joined to the nearest free one at or after a drawn length (nucleosome-free or
    mononucleosomal), or, where that is more than 1 kb off, to the nearest free one. The last few of a chromosome find
    no partner and are left out.
    """
    count = positions.size
    lengths = np.where(rng.random(count) < 0.7, 30 + rng.gamma(2.5, 25, count), rng.normal(190, 25, count)).astype(int)
    wanted = np.searchsorted(positions, positions + np.maximum(lengths, _SHORTEST)).tolist()
    shortest = np.searchsorted(positions, positions + _SHORTEST).tolist()
    free = list(range(count + 1))  # a forest: the root of i is the first free insertion at or after i

    def next_free(i: int) -> int:
        while free[i] != i:
            free[i] = free[free[i]]
            i = free[i]
        return i

    pairs = []
    for i in range(count):
        if free[i] != i:
            continue
        free[i] = i + 1
        j = next_free(wanted[i])
        if j == count or positions[j] - positions[i] > 1_000:
            j = next_free(shortest[i])
        if j < count:
            free[j] = j + 1
            pairs.append((i, j))
    first, last = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return positions[first], positions[last]


def _peaks(sites: pd.DataFrame, accessibility: dict[str, np.ndarray], rng: np.random.Generator) -> pd.DataFrame:
    """One peak per locus, 150 bp beyond its outer sites; summits jitter around its middle as a caller's would."""
    loci = sites.groupby(["chrom", "locus"], sort=False).agg(first=("start", "min"), last=("end", "max")).reset_index()
    start, end = loci["first"] - 150, loci["last"] + 150
    signal = [float(accessibility[chrom][a:b].max()) for chrom, a, b in zip(loci["chrom"], start, end, strict=True)]
    summit = (end - start) // 2 + np.clip(rng.normal(0, 40, len(loci)), -100, 100).astype(int)
    return pd.DataFrame(
        {
            "chrom": loci["chrom"],
            "start": start,
            "end": end,
            "name": loci["locus"],
            "score": 1000,
            "strand": ".",
            "signal": np.round(signal, 3),
            "pvalue": -1,
            "qvalue": -1,
            "summit": summit,
        }
    )


def _write_genome(genome: dict[str, np.ndarray], path: Path, bgzip: bool) -> None:
    with pysam.BGZFile(str(path), "wb") if bgzip else open(path, "wb") as out:
        for chrom, codes in genome.items():
            letters = _LETTERS[codes].tobytes()
            lines = b"\n".join(letters[i : i + 60] for i in range(0, len(letters), 60))
            out.write(b">" + chrom.encode() + b"\n" + lines + b"\n")


def _write_fragments(fragments: pd.DataFrame, _: dict[str, int], path: Path) -> None:
    table = fragments.assign(count=1)
    with pysam.BGZFile(str(path), "wb") as out:
        out.write(table.to_csv(sep="\t", header=False, index=False).encode())


def _reads(fragments: pd.DataFrame) -> pd.DataFrame:
    """Two reads per fragment, in order of place: chrom, start, end, strand, name, mate, span."""
    span = fragments["end"] - fragments["start"]
    length = np.minimum(span, _READ)
    name = "f" + fragments.index.astype(str)
    plus = pd.DataFrame(
        {
            "chrom": fragments["chrom"],
            "start": fragments["start"],
            "end": fragments["start"] + length,
            "strand": "+",
            "name": name,
            "mate": fragments["end"] - length,
            "span": span,
        }
    )
    minus = pd.DataFrame(
        {
            "chrom": fragments["chrom"],
            "start": fragments["end"] - length,
            "end": fragments["end"],
            "strand": "-",
            "name": name,
            "mate": fragments["start"],
            "span": -span,
        }
    )
    order = fragments["chrom"].unique().tolist()
    both = pd.concat([plus, minus], ignore_index=True)
    both["rank"] = both["chrom"].map(order.index)
    return both.sort_values(["rank", "start", "strand", "name"], kind="stable", ignore_index=True)


def _write_tagalign(fragments: pd.DataFrame, _: dict[str, int], path: Path) -> None:
    reads = _reads(fragments).assign(letter="N", score=1000)
    text = reads[["chrom", "start", "end", "letter", "score", "strand"]].to_csv(sep="\t", header=False, index=False)
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as out:
        out.write(text.encode())


def _write_bam(fragments: pd.DataFrame, sizes: dict[str, int], path: Path) -> None:
    """Properly paired records without bases or qualities, sorted and indexed."""
    reads = _reads(fragments)
    plus = (reads["strand"] == "+").to_numpy()
    odd = reads["name"].str[-1].isin(list("13579")).to_numpy()  # every other fragment has its first mate on the right
    flag = np.where(odd, np.where(plus, 163, 83), np.where(plus, 99, 147))
    table = pd.DataFrame(
        {
            "name": reads["name"],
            "flag": flag,
            "chrom": reads["chrom"],
            "start": reads["start"] + 1,
            "mapq": 60,
            "cigar": (reads["end"] - reads["start"]).astype(str) + "M",
            "next": "=",
            "mate": reads["mate"] + 1,
            "span": reads["span"],
            "bases": "*",
            "quality": "*",
        }
    )
    header = "@HD\tVN:1.6\tSO:coordinate\n" + "".join(f"@SQ\tSN:{chrom}\tLN:{size}\n" for chrom, size in sizes.items())
    sam = path.with_suffix(".sam")
    try:
        sam.write_text(header + table.to_csv(sep="\t", header=False, index=False))
        pysam.view("-b", "--no-PG", "-o", str(path), str(sam), catch_stdout=False)
    finally:
        sam.unlink(missing_ok=True)
    pysam.index(str(path))


def _matches(sequence: np.ndarray, motif: np.ndarray) -> int:
    """Most letters of ``motif``, on either strand, that ``sequence`` holds in a row of positions."""
    padded = np.pad(sequence, motif.size, constant_values=OTHER_BASE)
    views = np.lib.stride_tricks.sliding_window_view(padded, motif.size)
    return int(max((views == strand).sum(axis=1).max() for strand in (motif, reverse_complement(motif))))


def _control(motif: Motif, motifs: tuple[Motif, ...], rng: np.random.Generator) -> str:
    """The shuffle of a consensus, out of 200, that resembles the planted motifs least."""
    shuffles = [rng.permutation(codes_of(motif.consensus)) for _ in range(200)]
    likeness = [sum(_matches(shuffle, codes_of(other.consensus)) ** 4 for other in motifs) for shuffle in shuffles]
    return _LETTERS[shuffles[int(np.argmin(likeness))]].tobytes().decode()


def _write_truth(
    path: Path,
    settings: Settings,
    shift: tuple[int, int],
    scores: np.ndarray,
    sites: pd.DataFrame,
    accessibility: dict[str, np.ndarray],
    bias: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> None:
    content = {
        "settings": asdict(settings) | {"shift": list(shift)},
        "motifs": {motif.name: motif.consensus for motif in settings.motifs},
        "controls": {motif.name: _control(motif, settings.motifs, rng) for motif in settings.motifs},
        "enzyme": _LETTERS[scores.argmax(axis=1)].tobytes().decode(),
        "scores": scores.round(5).tolist(),
        "sites": sites.to_dict("list"),
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    tracks = {
        f"{name}/{chrom}": track
        for name, part in (("accessibility", accessibility), ("bias", bias))
        for chrom, track in part.items()
    }
    np.savez_compressed(path.with_suffix(".npz"), **tracks)
