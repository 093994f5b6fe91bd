"""A small genome with regions, insertions, variants and models, as the examples of the front door expect them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyBigWig
import pytest

from chrombpnet_core.models import (
    ACCESSIBILITY_PREFIX,
    Architecture,
    accessibility_part,
    bpnet,
    chrombpnet,
    draw_weights,
    save_model,
)

SIZE = Architecture(4, 2, 200, 80)
CHROMS = {"chrA": 1500, "chrB": 1200, "chrC": 300}
PLACES = [("chrA", 700), ("chrB", 300), ("chrA", 130), ("chrB", 331)]
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """A genome, regions, insertions, variants, a fold and models, as files."""
    folder = tmp_path_factory.mktemp("door")
    rng = np.random.default_rng(5)
    letters = {chrom: "".join(rng.choice(list("ACGT"), size)) for chrom, size in CHROMS.items()}
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    (folder / "sizes").write_text("".join(f"{chrom}\t{size}\n" for chrom, size in CHROMS.items()))
    bed = "".join(f"{chrom}\t{at - 3}\t{at + 5}\tr{row}\t.\t.\t.\t.\t.\t3\n" for row, (chrom, at) in enumerate(PLACES))
    (folder / "regions.bed").write_text(bed)
    (folder / "fold.json").write_text('{"train": ["chrA"], "valid": ["chrC"], "test": ["chrB"]}')
    rows = [(chrom, at + 1, letters[chrom][at], OTHER[letters[chrom][at]]) for chrom, at in PLACES]
    rows += [("chrA", 801, letters["chrA"][800:803], letters["chrA"][800]), ("chrA", 20, "A", "C")]
    listed = "".join("\t".join([*map(str, row), f"v{number}"]) + "\n" for number, row in enumerate(rows))
    (folder / "variants.tsv").write_text(listed)
    counts = {chrom: rng.poisson(0.5, size).astype(np.float64) for chrom, size in CHROMS.items()}
    with pyBigWig.open(str(folder / "data_unstranded.bw"), "w") as bigwig:
        bigwig.addHeader([*CHROMS.items()])
        for chrom, values in counts.items():
            bigwig.addEntries(chrom, 0, values=values, span=1, step=1)
    whole = chrombpnet(bpnet(SIZE, ACCESSIBILITY_PREFIX, "model_wo_bias"), bpnet(SIZE))
    draw_weights(accessibility_part(whole), 1)
    draw_weights(whole.layers[2], 2)
    for name, model in (("chrombpnet", whole), ("chrombpnet_nobias", accessibility_part(whole)), ("bias", whole.layers[2])):
        save_model(model, folder / f"{name}.h5")
    return SimpleNamespace(folder=folder, letters=letters, counts=counts)
