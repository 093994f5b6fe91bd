"""Write one small valid input of every kind into a folder: ``python -m tests.acceptance.bad_inputs.valid FOLDER``."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pysam
import yaml

from chrombpnet_core.formats import Intervals, write_bigwig

SIZES = {"chrA": 9000, "chrB": 8000, "chrC": 7000}
INPUT, OUTPUT, EXPLAINED = 600, 200, 130


def write_all(folder: Path) -> None:
    """Write every kind of input."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(7)
    sequence = {chrom: "".join(rng.choice(list("ACGT"), size)) for chrom, size in SIZES.items()}
    text = {
        "genome.fa": "".join(f">{chrom}\n{letters}\n" for chrom, letters in sequence.items()),
        "sizes.tsv": "".join(f"{chrom}\t{size}\n" for chrom, size in SIZES.items()),
        "aliases.tsv": "A\tchrA\nB\tchrB\nC\tchrC\n",
        "fold.json": json.dumps({"train": ["chrA"], "valid": ["chrB"], "test": ["chrC"]}),
        "motifs.tsv": "ctcf\tCCACCAGGGGG\nnrf1\tTGCGCATGCGCA\n",
        "token.txt": "0123456789abcdef0123\n",
        "architecture.py": "def build(filters, n_dil_layers, inputlen, outputlen):\n    raise SystemExit\n",
    }
    text |= _tables(sequence)
    for name, content in text.items():
        (folder / name).write_text(content)
    (folder / "peaks.narrowPeak.gz").write_bytes(gzip.compress(text["peaks.narrowPeak"].encode(), mtime=0))
    pysam.tabix_compress(str(folder / "genome.fa"), str(folder / "genome.fa.gz"), force=True)
    _reads(folder, sequence, rng)
    _motifs(folder, rng)
    _models(folder)
    _specs(folder)


def _tables(sequence: dict[str, str]) -> dict[str, str]:
    peaks, nonpeaks, variants, snps = [], [], [], []
    for chrom, size in SIZES.items():
        for number, start in enumerate(range(400, size - 600, 400)):
            peaks.append(f"{chrom}\t{start}\t{start + 200}\tp{number}\t{100 + number}\t.\t5.5\t4.1\t3.2\t100\n")
            nonpeaks.append(f"{chrom}\t{start + 200}\t{start + 400}\t.\t.\t.\t.\t.\t.\t100\n")
        for position in (2000, 2500, 3100):
            reference = sequence[chrom][position - 1]
            other = "ACGT"["CGTA".index(reference)]
            variants.append((chrom, position, reference, other))
            snps.append(f"{chrom}\t{position - 1}\t{reference}\t{other}\trs{position}\n")
    header = "##fileformat=VCFv4.2\n" + "".join(f"##contig=<ID={chrom},length={size}>\n" for chrom, size in SIZES.items())
    header += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    explained = [f"chrA\t{1000 + 40 * row}\t{1001 + 40 * row}" + "\t." * 6 + "\t0\n" for row in range(EXPLAINED)]
    return {
        "peaks.narrowPeak": "".join(peaks),
        "nonpeaks.bed": "".join(nonpeaks),
        "blacklist.bed": "chrA\t10\t60\nchrB\t20\t90\n",
        "genes.bed": "chrA\t1000\t3000\tGENE1\nchrB\t500\t900\tGENE2\n",
        "variants.tsv": "".join(f"{c}\t{p}\t{r}\t{a}\tv{p}\n" for c, p, r, a in variants),
        "variants.vcf": header + "".join(f"{c}\t{p}\tv{p}\t{r}\t{a}\t.\tPASS\t.\n" for c, p, r, a in variants),
        "snps.tsv": "".join(snps),
        "explained.bed": "".join(explained),
    }


def _reads(folder: Path, sequence: dict[str, str], rng: np.random.Generator) -> None:
    """Write fragments, tagAlign, BAM, CRAM and a bigWig of insertions."""
    fragments, tags, alignments, ends = [], [], [], {}
    header = pysam.AlignmentHeader.from_references([*SIZES], [*SIZES.values()])
    for number, (chrom, size) in enumerate(SIZES.items()):
        starts = np.sort(rng.integers(50, size - 250, 1500))
        counts = np.zeros(size, dtype=np.float32)
        for start in starts:
            end = int(start) + int(rng.integers(60, 200))
            fragments.append(f"{chrom}\t{start}\t{end}\tcell{start % 7}\t1\n")
            tags.append(f"{chrom}\t{start}\t{start + 36}\tN\t1000\t{'+-'[int(start) % 2]}\n")
            counts[[start, end - 1]] += 1
            read = pysam.AlignedSegment(header)
            read.query_name, read.reference_id, read.reference_start = f"r{start}", number, int(start)
            read.query_sequence = sequence[chrom][start : start + 36]
            read.flag, read.mapping_quality, read.cigartuples = 16 * (int(start) % 2), 30, [(0, 36)]
            read.query_qualities = pysam.qualitystring_to_array("I" * 36)
            alignments.append(read)
        ends[chrom] = counts
    with pysam.BGZFile(str(folder / "fragments.tsv.gz"), "w") as file:
        file.write("".join(fragments).encode())
    (folder / "fragments.tsv").write_text("".join(fragments))
    (folder / "tags.bed").write_text("".join(tags))
    for name, mode in (("reads.bam", "wb"), ("reads.cram", "wc"), ("reads.sam", "w")):
        with pysam.AlignmentFile(
            str(folder / name), mode, header=header, reference_filename=str(folder / "genome.fa")
        ) as file:
            for read in alignments:
                file.write(read)
    (folder / "genome.fa.fai").unlink(missing_ok=True)  # htslib's, for the CRAM
    pieces = []
    for chrom, counts in ends.items():
        at = np.flatnonzero(counts)
        pieces.append(Intervals(chrom, at, at + 1, counts[at]))
    write_bigwig(folder / "insertions.bw", SIZES, pieces, sum(len(piece.starts) for piece in pieces))


def _motifs(folder: Path, rng: np.random.Generator) -> None:
    """Write contributions with a motif in every region, motifs in TF-MoDISco's form, and a database."""
    word, length = "TGCGCATGCGCA", 120
    motif = np.array(["ACGT".index(letter) for letter in word])
    codes = rng.integers(0, 4, (EXPLAINED, length))
    scores = rng.normal(0, 0.02, (EXPLAINED, length, 4))
    for row, at in enumerate(rng.integers(30, 80, EXPLAINED)):
        codes[row, at : at + len(motif)] = motif
        scores[row, at : at + len(motif)] += rng.uniform(0.8, 1.2) * (np.eye(4)[motif] - 0.25)
    with h5py.File(folder / "my.profile_scores.h5", "w") as file:
        file["raw/seq"] = np.moveaxis(np.eye(4, dtype=np.int8)[codes], 2, 1)
        file["shap/seq"] = np.moveaxis(scores, 2, 1).astype(np.float16)
    with h5py.File(folder / "modisco.h5", "w") as file:
        weights = np.pad(np.eye(4)[motif] * 0.8, ((3, 3), (0, 0)))
        group = file.create_group("pos_patterns/pattern_0")
        group["contrib_scores"], group["sequence"] = weights, np.sign(weights)
        group["seqlets/n_seqlets"] = np.array([60])
        group["seqlets/contrib_scores"] = weights * rng.uniform(0.5, 1.5, (60, 1, 1))
    matrix = "".join(" ".join("0.97" if base == letter else "0.01" for base in "ACGT") + "\n" for letter in word)
    head = f"MEME version 4\n\nALPHABET= ACGT\n\nMOTIF known NRF1\nletter-probability matrix: alength= 4 w= {len(word)}\n"
    (folder / "motifs.meme").write_text(head + matrix)


def _models(folder: Path) -> None:
    from chrombpnet_core.models import (
        ACCESSIBILITY_PREFIX,
        Architecture,
        accessibility_part,
        bpnet,
        chrombpnet,
        draw_weights,
        save_model,
    )

    size = Architecture(4, 2, INPUT, OUTPUT)
    main = chrombpnet(bpnet(size, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(size))
    draw_weights(accessibility_part(main), 1)
    draw_weights(main.layers[2], 2)
    for name, model in (("chrombpnet", main), ("nobias", accessibility_part(main)), ("bias", main.layers[2])):
        save_model(model, folder / f"{name}.h5")


def _specs(folder: Path) -> None:
    spec = {
        "id": "bad",
        "assay": "ATAC",
        "reads": {"fragments": [str(folder / "fragments.tsv.gz")], "plus_shift": 4, "minus_shift": -4},
        "genome": str(folder / "genome.fa"),
        "chrom_sizes": str(folder / "sizes.tsv"),
        "peaks": str(folder / "peaks.narrowPeak"),
        "nonpeaks": str(folder / "nonpeaks.bed"),
        "folds": [str(folder / "fold.json")],
        "input_length": INPUT,
        "output_length": OUTPUT,
        "bias": {"filters": 4, "layers": 2, "epochs": 1},
        "model": {"filters": 4, "layers": 2, "epochs": 1, "jitter": 20},
        "training": {"batch_size": 16, "device": "cpu"},
        "explanation": {"peaks": 0},
        "output": "OUTPUT",
    }
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec))
    template = {key: spec[key] for key in ("genome", "chrom_sizes", "folds", "bias", "model", "training")}
    (folder / "template.yaml").write_text(yaml.safe_dump(template))
    (folder / "encode.yaml").write_text(yaml.safe_dump({"contact": "a@b.c", "template": template, "output": "gs://b/out"}))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
