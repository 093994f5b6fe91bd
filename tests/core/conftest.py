"""A small set of shards that several test modules share."""

from __future__ import annotations

import numpy as np
import pytest

from chrombpnet_core.genome import open_genome, regions_at
from chrombpnet_core.tracks import Coverage
from chrombpnet_core.training_data import ShardLayout, ShardSet, write_shards

LAYOUT = ShardLayout(input_length=200, output_length=80, jitter=20)


class SmallData:
    """Two chromosomes of random bases with random insertions, peaks and nonpeaks, and their shards."""

    def __init__(self, folder) -> None:
        import pyBigWig

        rng = np.random.default_rng(7)
        self.sizes = {"chrA": 6000, "chrB": 4000}
        self.letters = {
            chrom: "".join(rng.choice(list("ACGTN"), size, p=[0.3, 0.2, 0.2, 0.29, 0.01]))
            for chrom, size in self.sizes.items()
        }
        self.counts = {chrom: rng.poisson(0.3, size).astype(np.float32) for chrom, size in self.sizes.items()}
        fasta = folder / "g.fa"
        fasta.write_text("".join(f">{chrom}\n{text}\n" for chrom, text in self.letters.items()))
        with pyBigWig.open(str(folder / "c.bw"), "w") as bigwig:
            bigwig.addHeader(list(self.sizes.items()))
            for chrom, values in self.counts.items():
                bigwig.addEntries(chrom, 0, values=values.astype(np.float64), span=1, step=1)
        self.peaks = regions_at(np.array(["chrB", "chrA", "chrA"] * 8), np.arange(24) * 100 + 5, 200)
        self.nonpeaks = regions_at(np.array(["chrA", "chrB"] * 20), np.arange(40) * 60 + 17, 200)
        self.folder = folder / "shards"
        self.folder.mkdir()
        with open_genome(fasta, folder / "cache") as genome, Coverage(folder / "c.bw") as coverage:
            self.index = write_shards(self.folder, genome, coverage, self.peaks, self.nonpeaks, LAYOUT)

    def open(self) -> ShardSet:
        return ShardSet(self.folder)


@pytest.fixture(scope="session")
def small_data(tmp_path_factory) -> SmallData:
    """See :class:`SmallData`."""
    return SmallData(tmp_path_factory.mktemp("small"))
