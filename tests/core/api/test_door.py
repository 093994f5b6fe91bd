"""The front door: the same numbers as the command line, whatever form the input has; refusals in one line."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pyBigWig
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chrombpnet_core as cbp
from chrombpnet_core.genome import codes_of, one_hot
from flows.cli.main import main
from tests.core.api.conftest import CHROMS, PLACES


@pytest.fixture(scope="module")
def model(files):
    return cbp.open_model(files.folder / "chrombpnet_nobias.h5")


@pytest.fixture(scope="module")
def genome(files):
    with cbp.open_genome(files.folder / "genome.fa", files.folder / "index") as genome:
        yield genome


def command(files, tmp_path, *words):
    shared = ("-g", files.folder / "genome.fa", "--store", tmp_path / "store")
    assert main([*map(str, (*words, *shared))]) == 0


# --- the same numbers as the command line ---------------------------------------------------------------------------


def test_predictions_are_those_of_pred_bw(files, model, genome, tmp_path):
    command(
        files,
        tmp_path,
        "pred_bw",
        "-cmb",
        files.folder / "chrombpnet_nobias.h5",
        "-r",
        files.folder / "regions.bed",
        "-c",
        files.folder / "sizes",
        "-op",
        tmp_path / "theirs",
    )
    prediction = model.predict(genome, cbp.read_regions(files.folder / "regions.bed"))
    prediction.save(tmp_path / "ours.bw")
    (theirs,) = tmp_path.glob("theirs*.bw")
    with pyBigWig.open(str(theirs)) as one, pyBigWig.open(str(tmp_path / "ours.bw")) as two:
        assert one.chroms() == two.chroms()
        for chrom, size in CHROMS.items():
            first, second = (np.array(track.values(chrom, 0, size)) for track in (one, two))
            np.testing.assert_allclose(second, first, rtol=1e-6)
    rows = prediction.to_frame()
    assert rows["start"].tolist() == [at - 40 for _, at in PLACES]
    np.testing.assert_allclose(rows["counts"], np.expm1(prediction.log_counts.astype(float)))
    np.testing.assert_allclose(prediction.profile.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("head", ["counts", "profile"])
def test_contributions_are_those_of_contribs_bw(files, model, genome, tmp_path, head):
    command(
        files,
        tmp_path,
        "contribs_bw",
        "-m",
        files.folder / "chrombpnet_nobias.h5",
        "-r",
        files.folder / "regions.bed",
        "-c",
        files.folder / "sizes",
        "-op",
        tmp_path / "theirs",
        "-pc",
        head,
        "--float32",
    )
    explained = model.contributions(genome, cbp.read_regions(files.folder / "regions.bed"), head=head)
    explained.save(tmp_path / "ours.h5")
    with h5py.File(tmp_path / f"theirs.{head}_scores.h5") as one, h5py.File(tmp_path / "ours.h5") as two:
        for name in ("raw/seq", "shap/seq", "projected_shap/seq"):
            np.testing.assert_allclose(two[name][:], one[name][:], atol=1e-6)
    explained.save(tmp_path / "ours.bw")
    with pyBigWig.open(str(tmp_path / f"theirs.{head}_scores.bw")) as one, pyBigWig.open(str(tmp_path / "ours.bw")) as two:
        for chrom, size in CHROMS.items():
            first, second = (np.array(track.values(chrom, 0, size)) for track in (one, two))
            np.testing.assert_allclose(second, first, atol=1e-6)
    table = explained.to_frame()
    assert len(table) == len(PLACES) * 200
    assert "".join(table["base"][:200]) == files.letters["chrA"][600:800]


def test_footprints_are_those_of_the_command(files, model, genome, tmp_path):
    (tmp_path / "motifs.tsv").write_text("mine\tTTACCCG\n")
    command(
        files,
        tmp_path,
        "footprints",
        "-m",
        files.folder / "chrombpnet_nobias.h5",
        "-r",
        files.folder / "regions.bed",
        "-fl",
        files.folder / "fold.json",
        "-op",
        tmp_path / "theirs",
        "-pwm_f",
        tmp_path / "motifs.tsv",
    )
    regions = cbp.read_regions(files.folder / "regions.bed")
    footprint = cbp.marginal_footprint(model, genome, regions, "ttacccg", chroms=["chrB"])
    with h5py.File(tmp_path / "theirs_footprints.h5") as file:
        np.testing.assert_allclose(footprint.profile, file["mine/footprint"][:], rtol=1e-5)
        np.testing.assert_allclose(footprint.control, file["control/footprint"][:], rtol=1e-5)
    assert footprint.sequences == 2
    assert footprint.to_frame()["position"].tolist() == list(range(-40, 40))


def test_variant_scores_are_those_of_the_command(files, model, genome, tmp_path):
    command(
        files,
        tmp_path,
        "variants",
        "-l",
        files.folder / "variants.tsv",
        "-m",
        files.folder / "chrombpnet_nobias.h5",
        "-p",
        files.folder / "regions.bed",
        "-op",
        tmp_path / "theirs",
    )
    scores = cbp.score_variants(
        model, genome, files.folder / "variants.tsv", peaks=cbp.read_regions(files.folder / "regions.bed")
    )
    (table,) = [pd.read_csv(path, sep="\t") for path in tmp_path.glob("theirs*scores.tsv")]
    ours = scores.to_frame().set_index("variant_id").loc[table["variant_id"]]
    shared = [name for name in table if name in ours and pd.api.types.is_float_dtype(table[name])]
    assert {"logfc", "jsd", "allele1_pred_counts", "active_allele_quantile"} <= {*shared}
    for name in shared:
        np.testing.assert_allclose(ours[name], table[name], rtol=1e-5, atol=1e-6)
    assert scores.left_out["variant_id"].tolist() == ["v5"]
    assert "chromosome end" in scores.left_out["why"].iloc[0]


def test_coverage_is_that_of_the_bigwig(files, model, genome):
    predicted = model.predict(genome, "chrA:701")
    observed = cbp.read_coverage(files.folder / "data_unstranded.bw", predicted.region)
    np.testing.assert_array_equal(observed.track[0], files.counts["chrA"][660:740])
    assert observed.region == predicted.region == "chrA:661-740"
    assert observed.to_frame()["counts"].tolist() == [files.counts["chrA"][660:740].sum()]


# --- every form of input --------------------------------------------------------------------------------------------


def test_letters_codes_and_one_hot_predict_what_the_region_does(files, model, genome):
    there = model.predict(genome, "chrA:701")
    letters = files.letters["chrA"][600:800]
    codes = codes_of(letters)[None]
    for sequences in (letters, [letters], codes, one_hot(codes)):
        bare = model.predict(sequences)
        np.testing.assert_array_equal(bare.log_counts, there.log_counts)
        assert bare.regions is None
    explained, bare = model.contributions(genome, "chrA:701", head="counts"), model.contributions(letters, head="counts")
    np.testing.assert_array_equal(explained.hypothetical, bare.hypothetical)


def test_several_places_and_a_table_are_the_same(model, genome):
    places = model.predict(genome, ["chrA:701", "chrB:251-350"])
    table = pd.DataFrame({"chrom": ["chrA", "chrB"], "start": [700, 250], "end": [701, 350]})
    np.testing.assert_array_equal(places.profile, model.predict(genome, table).profile)
    assert [places.regions["start"].iloc[1], places.regions["end"].iloc[1]] == [260, 340]


@pytest.mark.parametrize("kind", ["bias", "chrombpnet", "chrombpnet_nobias"])
def test_models_say_what_they_are(files, kind):
    model = cbp.open_model(files.folder / f"{kind}.h5")
    assert (model.kind, model.input_length, model.output_length) == (kind, 200, 80)


def test_pictures_and_tables_for_notebooks(files, model, genome, tmp_path):
    predicted, explained = model.predict(genome, "chrA:701"), model.contributions(genome, "chrA:701")
    observed = cbp.read_coverage(files.folder / "data_unstranded.bw", predicted.region)
    figure = cbp.plot.locus(predicted, observed, explained)
    assert len(figure.axes) == 3
    footprint = cbp.marginal_footprint(model, genome, ["chrA:701", "chrB:301"], "TTACCCG")
    for result in (predicted, explained, footprint):
        page = result._repr_html_()
        assert page.startswith("<img")
        assert "<table" in page
    for name in ("p.tsv", "p.npz", "p.h5"):
        assert predicted.save(tmp_path / name).stat().st_size
    assert len(pd.read_csv(explained.save(tmp_path / "e.tsv"), sep="\t")) == 200


def test_regions_too_near_an_end_are_left_out_aloud(model, genome):
    places = ["chrA:50", "chrA:701", "chrB:1,190"]
    with pytest.warns(UserWarning, match=r"2 of 3 regions, such as chrA:50-50, are too near a chromosome end"):
        table = model.predict(genome, places).to_frame()
    assert table.index.tolist() == [1]
    assert table["counts"].tolist() == model.predict(genome, "chrA:701").counts.tolist()


@given(
    chrom=st.sampled_from(["chr1", "HLA:A*01", "2L"]),
    start=st.integers(0, 10**9),
    width=st.integers(1, 10**6),
)
def test_places_are_read_as_they_are_written(chrom, start, width):
    table = cbp.locate(cbp.region_text(chrom, start, start + width))
    assert table[["chrom", "start", "end", "summit"]].values.tolist() == [[chrom, start, start + width, width // 2]]


# --- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ("chrA", "region 'chrA'"),
        ("chrA:0", "counted from 1"),
        ("chrA:20-10", "counted from 1"),
        ("chrA:x-10", "region 'chrA:x-10'"),
        ("A:701", "the genome calls it chrA"),
        ("chrZ:701", "chromosome chrZ is not in the genome"),
        ("chrA:1-9,999", "leaves its chromosome"),
        ("chrA:50", "too near a chromosome end"),
        ([], "no regions"),
        (pd.DataFrame({"chrom": ["chrA"], "start": [3]}), "no column 'end'"),
    ],
)
def test_regions_that_are_none(model, genome, regions, message):
    with pytest.raises(cbp.InputError, match=message):
        model.predict(genome, regions)


@pytest.mark.parametrize(
    "sequences",
    ["ACGT", ["A" * 200, "A" * 199], [], np.zeros((1, 199), np.uint8), np.full((1, 200, 4), 0.5), np.zeros((200, 4))],
    ids=["short", "one short", "none", "codes", "soft", "one axis short"],
)
def test_sequences_that_do_not_fit(model, sequences):
    with pytest.raises(cbp.InputError, match="sequences"):
        model.predict(sequences)


def test_other_calls_that_make_no_sense(files, model, genome, tmp_path):
    letters = files.letters["chrA"][600:800]
    with pytest.raises(cbp.InputError, match="without regions"):
        model.predict(genome)
    with pytest.raises(cbp.InputError, match="without a genome"):
        model.predict(letters, "chrA:701")
    with pytest.raises(cbp.InputError, match="head 'both'"):
        model.contributions(letters, head="both")
    with pytest.raises(cbp.InputError, match="bare sequences"):
        model.predict(letters).save(tmp_path / "track.bw")
    with pytest.raises(cbp.InputError, match=r"\.bw or \.h5"):
        model.predict(letters).save(tmp_path / "track.wig")
    with pytest.raises(cbp.InputError, match="motif 'TTXA'"):
        cbp.marginal_footprint(model, genome, "chrA:701", "TTXA")
    with pytest.raises(cbp.InputError, match="differ in width"):
        cbp.read_coverage(files.folder / "data_unstranded.bw", ["chrA:1-10", "chrA:1-20"])
    with pytest.raises(cbp.InputError, match="one region"):
        _ = model.predict(genome, ["chrA:701", "chrB:301"]).region
    with pytest.raises(cbp.InputError, match="different places"):
        cbp.plot.locus(
            model.predict(genome, "chrA:701"), cbp.read_coverage(files.folder / "data_unstranded.bw", "chrA:671-750")
        )
    assert [path.name for path in tmp_path.iterdir()] == []
