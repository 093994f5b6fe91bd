"""The flow of variants with Prefect, over a published bundle, and its two commands."""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.model_files import save_model
from chrombpnet_core.models import Architecture, bpnet, draw_weights
from flows.variant_commands import snp_score
from flows.variant_commands import variants as command
from flows.variant_flags import add_snp_score, add_variants
from flows.variants import variants

OTHER = {"A": "C", "C": "G", "G": "T", "T": "A"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(8)
    letters = {chrom: "".join(rng.choice(list("ACGT"), 600)) for chrom in ("chrA", "chrB")}
    (folder / "genome.fa").write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    models = []
    for fold in (0, 1):
        model = bpnet(Architecture(4, 2, 200, 80), "wo_bias_", "model_wo_bias")
        draw_weights(model, fold)
        models.append(folder / f"nobias_{fold}.h5")
        save_model(model, models[-1])
    rows = [(chrom, pos, letters[chrom][pos - 1], OTHER[letters[chrom][pos - 1]]) for chrom in letters
            for pos in range(150, 450, 30)]
    (folder / "list.tsv").write_text("".join(f"{chrom}\t{pos}\t{one}\t{two}\tv{pos}\n" for chrom, pos, one, two in rows))
    (folder / "snps.tsv").write_text("".join(f"{chrom}\t{pos - 1}\t{one}\t{two}\n" for chrom, pos, one, two in rows))
    bundle = folder / "published" / "sample"
    (bundle / "models").mkdir(parents=True)
    path = bundle / "models" / "sample.models.tar"
    with tarfile.open(path, "w") as tar:
        for fold, model in enumerate(models):
            tar.add(model, f"fold_{fold}/model.chrombpnet_nobias.fold_{fold}.sample.h5")
            tar.add(model, f"fold_{fold}/model.chrombpnet.fold_{fold}.sample.h5")
    told = {"output_type": "models", "size": path.stat().st_size, "md5": hashlib.md5(path.read_bytes()).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps({"files": {"models/sample.models.tar": told}}))
    return SimpleNamespace(folder=folder, models=[str(model) for model in models], genome=str(folder / "genome.fa"),
                           listed=str(folder / "list.tsv"), snps=str(folder / "snps.tsv"), bundle=str(bundle), rows=rows)


def parsed(add, *arguments):
    parser = add(argparse.ArgumentParser())
    parser.add_argument("--store")
    parser.add_argument("--alias")
    parser.add_argument("--exclude-chroms", nargs="+", default=[])
    return parser.parse_args([str(argument) for argument in arguments])


def test_the_flow_scores_a_bundle_as_its_models(inputs, tmp_path):
    """Through Prefect, tasks of chromosomes and models as runs of their own."""
    asked = {"variants": inputs.listed, "genome": inputs.genome, "bundle": inputs.bundle, "top": 2,
             "output_prefix": str(tmp_path / "a")}
    placed = variants(asked, str(tmp_path / "store"))
    assert placed[-1].endswith("a.variants.html")
    command(parsed(add_variants, "-l", inputs.listed, "-g", inputs.genome, "-m", inputs.models[1], "-op", tmp_path / "b",
                   "--store", tmp_path / "store", "--top", 0))
    flow, alone = (pd.read_csv(tmp_path / f"{name}.variant_scores.tsv", sep="\t") for name in ("a.fold_1", "b"))
    pd.testing.assert_frame_equal(flow, alone)
    mean = pd.read_csv(tmp_path / "a.mean.variant_scores.tsv", sep="\t")
    assert len(mean) == len(inputs.rows)


def test_snp_score_reads_the_references_columns(inputs, tmp_path, capsys):
    snp_score(parsed(add_snp_score, "-snps", inputs.snps, "-m", inputs.models[0], "-g", inputs.genome, "-op", tmp_path / "x",
                     "--store", tmp_path / "store"))
    table = pd.read_csv(tmp_path / "x.variant_scores.tsv", sep="\t")
    assert table[["chr", "pos", "allele1", "allele2"]].to_numpy().tolist() == [[*row] for row in inputs.rows]
    assert str(tmp_path / "x.variant_scores.tsv") in capsys.readouterr().out


@pytest.mark.parametrize(("more", "words"), [
    ({"models": []}, "either models or a bundle"),
    ({"bundle": "x"}, "either models or a bundle"),
    ({"models": [], "bundle": "published"}, "no published bundle"),
    ({"variants": "absent.tsv"}, "no such file"),
    ({"shuffles": -1}, "shuffles"),
    ({"color": 1}, "color"),
])
def test_refusals_leave_nothing(inputs, tmp_path, more, words):
    asked = {"variants": inputs.listed, "genome": inputs.genome, "models": inputs.models[:1],
             "output_prefix": str(tmp_path / "out" / "a")} | more
    if asked.get("bundle") == "published":
        asked["bundle"] = str(inputs.folder / "published")
    with pytest.raises(InputError, match=words):
        variants.fn(asked, str(tmp_path / "store"))
    assert not (tmp_path / "out").exists()
