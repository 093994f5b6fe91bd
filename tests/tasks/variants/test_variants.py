"""Variants as steps: what is left out and why, scores against plain predictions, folds, resumption, refusals."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pysam
import pytest
from scipy.spatial.distance import jensenshannon

from chrombpnet_core import variants
from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import codes_of, one_hot, open_genome, read_regions, reverse_complement
from chrombpnet_core.models import Architecture, BothStrandsPredictor, bpnet, draw_weights, load_model, save_model
from chrombpnet_core.variants import read_score_tables
from flows.variants import VariantsRequest, score_variants
from tasks.storage import Store
from tasks.variants import VARIANTS, VariantsInputs, VariantsParameters, scoring

SIZE = Architecture(4, 2, 200, 80)
OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(5)
    letters = {chrom: "".join(rng.choice(list("ACGT"), 1500)) for chrom in ("chrA", "chrB")}
    letters["chrB"] = letters["chrB"][:640] + "N" * 30 + letters["chrB"][670:]
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    for fold in (0, 1):
        model = bpnet(SIZE, "wo_bias_", "model_wo_bias")
        draw_weights(model, fold + 1)
        head = next(layer for layer in model.layers if layer.name.endswith("logcount_predictions"))
        kernel, bias = head.get_weights()
        head.set_weights([kernel * 5, bias])
        save_model(model, folder / f"fold_{fold}.h5")
    (folder / "peaks.bed").write_text(
        "".join(f"chr{'AB'[at % 2]}\t{at * 30 + 150}\t{at * 30 + 190}\tp{at}\t.\t.\t.\t.\t.\t17\n" for at in range(30))
    )
    rows = []
    for chrom in ("chrA", "chrB"):
        for pos in range(110, 1380, 53):
            there = letters[chrom][pos - 1 : pos + 3].replace("N", "A")
            rows += [(chrom, pos, there[0], OTHER[there[0]]), (chrom, pos, there[:3], there[0])]
            rows += [(chrom, pos, there[0], there[0] + "GATT")] if pos % 2 else []
    listed = folder / "list.tsv"
    listed.write_text("".join("\t".join([*map(str, row), f"v{number}"]) + "\n" for number, row in enumerate(rows)))
    return SimpleNamespace(
        folder=folder,
        letters=letters,
        rows=rows,
        listed=str(listed),
        genome=str(folder / "genome.fa"),
        peaks=str(folder / "peaks.bed"),
        models=[str(folder / f"fold_{fold}.h5") for fold in (0, 1)],
    )


def request(inputs, prefix, **more):
    asked = {
        "variants": inputs.listed,
        "genome": inputs.genome,
        "models": inputs.models[:1],
        "output_prefix": str(prefix),
        "top": 0,
    }
    return VariantsRequest(**(asked | more))


def listed(inputs, store, lines=None, **more):
    path = inputs.listed
    if lines is not None:
        path = str(inputs.folder / f"list-{abs(hash(tuple(lines)))}.tsv")
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
    asked = VariantsInputs(variants=path, genome=inputs.genome)
    return VARIANTS(str(store), asked, VariantsParameters(lengths=(200, 80), **more))


def plainly(model, letters):
    """Counts and mean logits of each sequence, from plain predictions of both strands."""
    codes = np.stack([codes_of(text) for text in letters])
    (one, log_one), (two, log_two) = (model.predict_on_batch(one_hot(each)) for each in (codes, reverse_complement(codes)))
    counts = (np.exp(np.float64(log_one[:, 0])) + np.exp(np.float64(log_two[:, 0]))) / 2
    return [*zip(counts, (np.float64(one) + np.float64(two[:, ::-1])) / 2, strict=True)]


def softmax(x):
    powers = np.exp(x - x.max())
    return powers / powers.sum()


def test_scores_are_those_of_plain_predictions(inputs, tmp_path):
    placed = score_variants(
        request(inputs, tmp_path / "out" / "x", peaks=inputs.peaks, profiles=True), str(tmp_path / "store")
    )
    table = pd.read_csv(tmp_path / "out" / "x.variant_scores.tsv", sep="\t")
    assert len(table) == len(inputs.rows)
    assert table["variant_id"].tolist() == [f"v{number}" for number in range(len(table))]
    model = load_model(inputs.models[0])
    windows = []
    for line in Path(inputs.peaks).read_text().splitlines():
        chrom, start, *_, summit = line.split("\t")
        first = int(start) + int(summit) - 100 - 1
        windows.append(inputs.letters[chrom][first : first + 200])
    peaks = [counts for counts, _ in plainly(model, windows)]
    with h5py.File(tmp_path / "out" / "x.chrB.variant_predictions.h5") as file:
        of_b = table[table["chr"] == "chrB"]
        np.testing.assert_allclose(file["observed/allele2_pred_counts"][()], of_b["allele2_pred_counts"], rtol=1e-6)
        assert file["variant_ids"].asstr()[()].tolist() == of_b["variant_id"].tolist()
        logits = file["observed/allele1_pred_profiles"][()]
    for row in range(0, len(table), 7):
        chrom, pos, one, two = inputs.rows[row]
        text = inputs.letters[chrom]
        windows = [(text[pos - 101 : pos - 1] + allele + text[pos - 1 + len(one) :])[:200] for allele in (one, two)]
        (counts1, logits1), (counts2, logits2) = plainly(model, windows)
        if chrom == "chrB":
            np.testing.assert_allclose(logits[row - len(table) + len(of_b)], logits1, atol=1e-5)
        first, second = softmax(logits1), softmax(logits2)
        original = jensenshannon(first, second, base=2)
        cut = abs(len(one) - len(two))
        if len(one) > len(two):
            first, second = np.delete(first, range(40 + len(two), 40 + len(one))), second[:-cut]
        elif cut:
            second, first = np.delete(second, range(40 + len(one), 40 + len(two))), first[:-cut]
        jsd = jensenshannon(first / first.sum(), second / second.sum(), base=2)
        active = max(1 / 30, np.mean(np.array(peaks) < counts1), np.mean(np.array(peaks) < counts2))
        got = table.iloc[row]
        np.testing.assert_allclose(
            [got["logfc"], got["jsd"], got["original_jsd"], got["abs_logfc_x_jsd"]],
            [np.log2(counts2 / counts1), jsd, original, abs(np.log2(counts2 / counts1)) * jsd],
            atol=2e-5,
        )
        assert abs(got["active_allele_quantile"] - active) <= 1 / 30 + 1e-9
    assert any(each.endswith("left_out.tsv") for each in placed)


def test_the_core_gives_the_numbers_of_the_command(inputs, tmp_path):
    more = {"models": inputs.models, "peaks": inputs.peaks, "shuffles": 40}
    score_variants(request(inputs, tmp_path / "x", **more), str(tmp_path / "store"))
    predictors = [BothStrandsPredictor(load_model(path)) for path in inputs.models]
    with open_genome(inputs.genome, tmp_path) as genome:
        scored = variants.score_variants(
            predictors, genome, inputs.listed, peaks=read_regions(inputs.peaks), shuffles=40, seed=1234
        )
        given = pd.DataFrame(inputs.rows[:9], columns=["chr", "pos", "allele1", "allele2"])
        one = variants.score_variants(predictors[0], genome, given)
    assert len(scored.left_out) == 0
    table = scored.to_frame()
    expected = pd.concat(list(read_score_tables([tmp_path / "x.mean.variant_scores.parquet"])), ignore_index=True)
    assert table["variant_id"].tolist() == expected["variant_id"].tolist()
    names = [name for name in expected.columns if expected[name].dtype == np.float64]
    assert len(names) > 20
    for name in names:
        np.testing.assert_allclose(table[name], expected[name], atol=1e-6, err_msg=name)
    first = pd.concat(list(read_score_tables([tmp_path / "x.fold_0.variant_scores.parquet"])), ignore_index=True)
    np.testing.assert_allclose(one.table["logfc"], first["logfc"][:9], atol=1e-6)


def test_folds_are_summarised_and_a_rerun_computes_nothing(inputs, tmp_path, monkeypatch):
    store = str(tmp_path / "store")
    asked = request(inputs, tmp_path / "x", models=inputs.models, shuffles=40, chroms=["chrA"])
    score_variants(asked, store)
    tables = [pd.read_csv(tmp_path / f"x.fold_{fold}.variant_scores.tsv", sep="\t") for fold in (0, 1)]
    mean = pd.read_csv(tmp_path / "x.mean.variant_scores.tsv", sep="\t")
    assert (mean["chr"] == "chrA").all()
    np.testing.assert_allclose(mean["logfc.mean"], (tables[0]["logfc"] + tables[1]["logfc"]) / 2, atol=1e-7)
    np.testing.assert_allclose(mean["jsd.mean.pval"], np.sqrt(tables[0]["jsd.pval"] * tables[1]["jsd.pval"]), atol=1e-7)
    assert set(mean["logfc.sign_agreement"]) <= {0.5, 1.0}
    assert tables[0]["logfc.pval"].between(1 / 41, 1).all()
    parquet = pd.concat(list(read_score_tables([tmp_path / "x.mean.variant_scores.parquet"])))
    np.testing.assert_allclose(parquet["logfc.mean"], mean["logfc.mean"], rtol=1e-7)

    def never(*_):
        raise AssertionError("a model was loaded to predict")

    monkeypatch.setattr(scoring, "load_predictor", never)
    before = (tmp_path / "x.mean.variant_scores.tsv").read_bytes()
    score_variants(asked, store)
    assert (tmp_path / "x.mean.variant_scores.tsv").read_bytes() == before
    Store(store).remove("variant_scores")
    with pytest.raises(AssertionError, match="loaded"):
        score_variants(asked, store)


def lines_of(inputs, number, change):
    return [
        "\t".join(map(str, change(chrom, pos, one, two))) + f"\tv{row}"
        for row, (chrom, pos, one, two) in enumerate(inputs.rows[:number])
    ]


def test_what_cannot_be_scored_is_listed(inputs, tmp_path, caplog):
    there = inputs.letters["chrA"][499]
    good = lines_of(inputs, 60, lambda *row: row)
    bad = [
        f"chrC\t500\t{there}\tA\tcontig",
        f"chrA\t100\t{inputs.letters['chrA'][99]}\tAA\tedge",
        f"chrA\t500\t{OTHER[there]}\t{OTHER[OTHER[there]]}\tref",
        f"chrA\t500\t{OTHER[there]}\t{there}\tswapped",
        "chrA\t500\t<DEL>\tA\tsymbolic",
        f"chrA\t500\t{there}\t*\tstar",
        good[3].rsplit("\t", 1)[0] + "\tagain",
        f"chrA\t500\t{there}\t{'A' * 50}\tlong",
    ]
    with caplog.at_level(logging.WARNING):
        result = listed(inputs, tmp_path, [*good, *bad])
    left = pd.read_csv(result.file("left_out.tsv"), sep="\t").set_index("variant_id")["why"].to_dict()
    assert left == {
        "contig": "chromosome not in the genome",
        "edge": "too near a chromosome end",
        "ref": "allele 1 is not the genome's",
        "swapped": "alleles are swapped; with swap_ref it would be scored",
        "symbolic": "symbolic allele",
        "star": "allele *",
        "again": "the same variant was there before",
        "long": "longer than half of the model's output",
    }
    assert result.facts["variants"] == 60
    assert "8 of 68 variants are not scored" in caplog.text
    assert "genome lacks: chrC (1)" in caplog.text


def test_swapped_alleles_are_mended_and_signs_turn(inputs, tmp_path):
    turned = lines_of(
        inputs,
        40,
        lambda chrom, pos, one, two: (chrom, pos, two, one) if len(one) == len(two) == 1 else (chrom, pos, one, two),
    )
    with pytest.raises(InputError, match=r"not the genome's in 1\d of 40 variants.*swap_ref"):
        listed(inputs, tmp_path / "store", turned)
    path = tmp_path / "turned.tsv"
    path.write_text("\n".join(turned) + "\n")
    score_variants(request(inputs, tmp_path / "a", variants=str(path), swap_ref=True), str(tmp_path / "store"))
    score_variants(request(inputs, tmp_path / "b"), str(tmp_path / "store"))
    one, two = (pd.read_csv(tmp_path / f"{name}.variant_scores.tsv", sep="\t").head(40) for name in "ab")
    assert one["swapped"].sum() > 10
    assert one["allele1"].tolist() == two["allele1"].tolist()
    np.testing.assert_allclose(one["logfc"], two["logfc"], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda chrom, pos, one, two: (chrom, pos - 1, one, two), "0-based"),
        (lambda chrom, pos, one, two: (chrom, pos + 400, one, two), "another assembly"),
        (lambda chrom, pos, one, two: (chrom.removeprefix("chr"), pos, one, two), "of 50 variants none.*A is chrA.*`alias="),
        (lambda chrom, pos, one, two: (chrom, pos, "<DUP>", two), "of 50 variants none can be scored.*symbolic"),
    ],
)
def test_wrong_lists_are_refused_with_the_likely_cause(inputs, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        listed(inputs, tmp_path, lines_of(inputs, 50, change))
    assert not list(tmp_path.glob("variants/*"))


def test_vcf_in_and_out(inputs, tmp_path):
    path = tmp_path / "in.vcf"
    rows = sorted((chrom, pos, one, two) for chrom, pos, one, two in inputs.rows if len(one) == 1)
    grouped = {}
    for chrom, pos, one, two in rows:
        grouped.setdefault((chrom, pos, one), []).append(two)
    path.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=chrA>\n##contig=<ID=chrB>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\t"
        "INFO\n"
        + "".join(
            f"{chrom}\t{pos}\t.\t{one}\t{','.join([*alts, '*'])}\t.\t.\t.\n" for (chrom, pos, one), alts in grouped.items()
        )
    )
    score_variants(request(inputs, tmp_path / "x", variants=str(path), models=inputs.models), str(tmp_path / "store"))
    table = pd.read_csv(tmp_path / "x.mean.variant_scores.tsv", sep="\t").set_index(["chr", "pos", "allele2"])
    with pysam.VariantFile(str(tmp_path / "x.mean.variant_scores.vcf.gz")) as file:
        records = list(file)
    assert len(records) == len(grouped)
    for record in records:
        values = record.info["CBP_LOGFC"]
        assert values[-1] is None
        wanted = [table.loc[(record.chrom, record.pos, alt), "logfc.mean"] for alt in record.alts[:-1]]
        np.testing.assert_allclose(values[:-1], wanted, rtol=1e-5, atol=1e-6)


def test_report_shows_the_top(inputs, tmp_path):
    genes = tmp_path / "genes.bed"
    genes.write_text("chrA\t300\t400\tGENE1\nchrB\t300\t400\t<b>GENE2\n")
    placed = score_variants(
        request(inputs, tmp_path / "x", top=3, genes=str(genes), peaks=inputs.peaks, shuffles=30), str(tmp_path / "store")
    )
    assert placed[-1].endswith("x.variants.html")
    page = (tmp_path / "x.variants.html").read_text()
    table = pd.read_csv(tmp_path / "x.variant_scores.tsv", sep="\t")
    top = table.nlargest(3, "abs_logfc_x_jsd")
    positions = [page.index(f". {name}: ") for name in top["variant_id"]]
    assert positions == sorted(positions)
    assert page.count('<svg class="picture"') == 3
    assert "<b>GENE2" not in page
    with h5py.File(tmp_path / "x.top_contributions.h5") as file:
        assert file["shap/seq"].shape == (6, 4, 200)
        assert file["alleles"][()].tolist() == [0, 0, 0, 1, 1, 1]
        assert file["variant_ids"].asstr()[()].tolist() == 2 * top["variant_id"].tolist()
        text = inputs.letters[top["chr"].iloc[0]]
        at = top["pos"].iloc[0] - 1
        np.testing.assert_array_equal(file["raw/seq"][0].T[:100], one_hot(codes_of(text[at - 100 : at])))


def test_contributions_of_all_variants(inputs, tmp_path):
    """Both alleles of each, as the explainer gives them for their windows one by one; on each model's own."""
    from chrombpnet_core.interpret import Explainer, explain_codes

    asked = request(
        inputs, tmp_path / "x", models=inputs.models, contributions=["profile", "counts"], chroms=["chrB"], seed=3
    )
    score_variants(asked, str(tmp_path / "store"))
    table = pd.read_csv(tmp_path / "x.mean.variant_scores.tsv", sep="\t")
    explainer = Explainer(load_model(inputs.models[1]), ["counts", "profile"], 20)
    for head in ("counts", "profile"):
        with h5py.File(tmp_path / f"x.fold_1.chrB.variant_contributions.{head}.h5") as file:
            names, alleles = file["variant_ids"].asstr()[()], file["alleles"][()]
            assert sorted(names) == sorted(2 * table["variant_id"].tolist())
            for row in (0, len(names) // 2, len(names) - 1):
                _, pos, *letters = inputs.rows[int(names[row][1:])]
                text, (one, _) = inputs.letters["chrB"], letters
                window = (text[pos - 101 : pos - 1] + letters[alleles[row]] + text[pos - 1 + len(one) :])[:200]
                codes = codes_of(window)[None]
                np.testing.assert_array_equal(file["raw/seq"][row].T, one_hot(codes)[0])
                ((_, found),) = explain_codes(explainer, codes, 20, 3)
                np.testing.assert_allclose(file["shap/seq"][row].T, found[head][0], atol=2e-3 * np.abs(found[head]).max())
    assert {0, 1} == {*alleles}
