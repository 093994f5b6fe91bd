"""What the front door refuses, in one line each, before anything is computed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pytest

import chrombpnet_core as cbp
from chrombpnet_core.genome import one_hot


@pytest.fixture(scope="module")
def model(files):
    return cbp.open_model(files.folder / "chrombpnet_nobias.h5")


@pytest.fixture(scope="module")
def genome(files, tmp_path_factory):
    with cbp.open_genome(files.folder / "genome.fa", tmp_path_factory.mktemp("index")) as genome:
        yield genome


def _table(start=700, end=701, chrom="chrA", **others) -> pd.DataFrame:
    return pd.DataFrame({"chrom": [chrom], "start": [start], "end": [end], **others})


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (5, "region 5;"),
        ([("chrA", 700, 701)], r"region \('chrA', 700, 701\)"),
        (Path("regions.bed"), "regions.bed"),
        (_table(end=700), "row 0 of the regions: end is not greater than start; found chrA, 700, 700"),
        (_table(start=700.5), "start is not a position"),
        (_table(end=np.nan), "end is not a position"),
        (_table(end="x"), "end is not a position"),
        (_table(chrom=None), "no chromosome"),
        (_table(summit="middle"), "summit is not a position"),
        (pd.concat([_table(), _table()[["end"]]], axis=1), "column 'end' twice"),
        ("chrA:99999999999999999999", "is not a position"),
    ],
)
def test_regions(model, genome, regions, message):
    with pytest.raises(cbp.InputError, match=message):
        model.predict(genome, regions)


@pytest.mark.parametrize("start", ["700", 700.0, np.uint32(700)])
def test_numbers_of_tables_may_have_any_type(model, genome, start):
    expected = model.predict(genome, "chrA:701").log_counts
    np.testing.assert_array_equal(model.predict(genome, _table(start=start, summit=np.nan)).log_counts, expected)


@pytest.mark.parametrize(
    "sequences", [None, [3], b"ACGT", np.zeros((0, 200), np.uint8), np.zeros((0, 200, 4)), [np.zeros(200, np.uint8)]]
)
def test_sequences(model, sequences):
    with pytest.raises(cbp.InputError, match="sequences"):
        model.predict(sequences)


@pytest.mark.parametrize("kind", [np.float64, bool, np.float16])
def test_sequences_of_any_type(files, model, kind):
    letters = files.letters["chrA"][600:800]
    codes = np.frombuffer(letters.encode(), np.uint8)[None]
    codes = np.searchsorted(np.frombuffer(b"ACGT", np.uint8), codes).astype(np.uint8)
    expected = model.predict(letters).log_counts
    for given in (one_hot(codes).astype(kind), np.array([letters]), letters.lower()):
        np.testing.assert_array_equal(model.predict(given).log_counts, expected)


@pytest.mark.parametrize("number", [0, -1, 2.5, None, "a"])
def test_numbers(files, model, genome, number):
    variants = pd.DataFrame({"chr": ["chrA"], "pos": [701], "allele1": ["A"], "allele2": ["C"]})
    with pytest.raises(cbp.InputError, match="`batch_size` is"):
        model.predict("A" * 200, batch_size=number)
    with pytest.raises(cbp.InputError, match="`references` is"):
        model.contributions("A" * 200, references=number)
    with pytest.raises(cbp.InputError, match="`batch_size` is"):
        cbp.marginal_footprint(model, genome, "chrA:701", "ACGT", batch_size=number)
    if number != 0:
        with pytest.raises(cbp.InputError, match="`shuffles` is"):
            cbp.score_variants(model, genome, variants, shuffles=number)


@pytest.mark.parametrize("position", [np.nan, 700.5, "x"])
def test_positions_of_variants(model, genome, position):
    table = pd.DataFrame({"chr": ["chrA"], "pos": [position], "allele1": ["A"], "allele2": ["C"]})
    with pytest.raises(cbp.InputError, match="table of variants, row 0: position; expected an integer, found"):
        cbp.score_variants(model, genome, table)


def test_one_chromosome_needs_no_list(files, model, genome):
    one, several = (cbp.score_variants(model, genome, files.folder / "variants.tsv", chroms=x) for x in ("chrA", ["chrA"]))
    assert len(one.table) == len(several.table) > 0
    assert cbp.marginal_footprint(model, genome, ["chrA:701", "chrB:301"], "ACGT", chroms="chrB").sequences == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda track: np.repeat(track[::6], 6)[: len(track)],
        lambda track: track * 0.37,
        lambda track: np.convolve(track, np.ones(9) / 9, "same"),
    ],
    ids=["bins", "CPM", "smoothed"],
)
def test_tracks_that_are_no_insertions_are_read_only_where_the_user_insists(files, tmp_path, change):
    with pyBigWig.open(str(tmp_path / "track.bw"), "w") as bigwig:
        bigwig.addHeader([(chrom, len(values)) for chrom, values in files.counts.items()])
        for chrom, values in files.counts.items():
            bigwig.addEntries(chrom, 0, values=change(values), span=1, step=1)
    with pytest.raises(cbp.InputError, match=r"track\.bw: no insertions per base.*`accept_bigwig=True`"):
        cbp.read_coverage(tmp_path / "track.bw", "chrA:9-20")
    observed = cbp.read_coverage(tmp_path / "track.bw", "chrA:9-20", accept_bigwig=True)
    np.testing.assert_allclose(observed.track[0], change(files.counts["chrA"])[8:20], rtol=1e-6)


def test_results_are_saved_where_there_is_a_folder(files, model, genome, tmp_path):
    predicted, observed = (
        model.predict(genome, "chrA:701"),
        cbp.read_coverage(files.folder / "data_unstranded.bw", "chrA:9-20"),
    )
    footprint = cbp.marginal_footprint(model, genome, "chrA:701", "ACGT")
    scores = cbp.score_variants(model, genome, files.folder / "variants.tsv")
    for result in (predicted, observed, footprint, scores):
        for name in ("tsv", "h5", "bw") if result is predicted else ("tsv",):
            with pytest.raises(cbp.InputError, match="there is no folder"):
                result.save(tmp_path / "absent" / f"x.{name}")
            (tmp_path / f"folder.{name}").mkdir(exist_ok=True)
            with pytest.raises(cbp.InputError, match="is a folder"):
                result.save(tmp_path / f"folder.{name}")


def test_results_are_compared_and_pickled(model, genome):
    one, other = model.predict(genome, ["chrA:701", "chrB:301"]), model.predict(genome, ["chrA:701", "chrB:301"])
    assert one != other
    assert len({one, other, one}) == 2
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(one)).track, one.track)


def test_pictures_are_drawn_of_what_they_are_for(model, genome):
    predicted, explained = model.predict(genome, "chrA:701"), model.contributions(genome, "chrA:701")
    for given in ((predicted, explained), (explained,), (None, predicted)):
        with pytest.raises(cbp.InputError, match="is of type"):
            cbp.plot.locus(*given)


def test_genomes_may_share_the_folder_of_their_indexes(tmp_path):
    for number, text in enumerate((">a\nACGT\n", ">b\nAC\n", ">c\nACGTN\nA\n")):
        fasta = tmp_path / f"{number}.fa"
        fasta.write_text(text)
        for _ in range(2):
            with cbp.open_genome(fasta, tmp_path / "cache") as genome:
                assert genome.sizes == {text[1]: len("".join(text.split()[1:]))}
