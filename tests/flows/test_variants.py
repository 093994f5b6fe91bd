"""The flow of variants with Prefect, over a published bundle, and its two commands."""

from __future__ import annotations

import hashlib
import json
import tarfile
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from chrombpnet_core.errors import InputError
from chrombpnet_core.models import Architecture, bpnet, draw_weights, save_model
from flows.cli.main import build_parser
from flows.cli.variants import snp_score
from flows.cli.variants import variants as command
from flows.variants import REPORT_PART, VariantsRequest, score_variants, variants, variants_part
from tasks.storage import Store
from tests.emulators import gcs_emulator

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
    rows = [
        (chrom, pos, letters[chrom][pos - 1], OTHER[letters[chrom][pos - 1]])
        for chrom in letters
        for pos in range(150, 450, 30)
    ]
    (folder / "list.tsv").write_text("".join(f"{chrom}\t{pos}\t{one}\t{two}\tv{pos}\n" for chrom, pos, one, two in rows))
    (folder / "snps.tsv").write_text(
        "".join(
            f"{chrom}\t{pos - 1}\t{one}\t{two}{'' if row else chr(9) + 'rs1'}\n"
            for row, (chrom, pos, one, two) in enumerate(rows)
        )
    )
    bundle = folder / "published" / "sample"
    (bundle / "models").mkdir(parents=True)
    path = bundle / "models" / "sample.models.tar"
    with tarfile.open(path, "w") as tar:
        for fold, model in enumerate(models):
            tar.add(model, f"fold_{fold}/model.chrombpnet_nobias.fold_{fold}.sample.h5")
            tar.add(model, f"fold_{fold}/model.chrombpnet.fold_{fold}.sample.h5")
    told = {"output_type": "models", "size": path.stat().st_size, "md5": hashlib.md5(path.read_bytes()).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps({"files": {"models/sample.models.tar": told}}))
    return SimpleNamespace(
        folder=folder,
        models=[str(model) for model in models],
        genome=str(folder / "genome.fa"),
        listed=str(folder / "list.tsv"),
        snps=str(folder / "snps.tsv"),
        bundle=str(bundle),
        rows=rows,
    )


def parsed(*words):
    return build_parser().parse_args([str(word) for word in words])


def test_the_flow_scores_a_bundle_as_its_models(inputs, tmp_path):
    """Through Prefect, tasks of chromosomes and models as runs of their own."""
    asked = {
        "variants": inputs.listed,
        "genome": inputs.genome,
        "bundle": inputs.bundle,
        "top": 2,
        "output_prefix": str(tmp_path / "a"),
    }
    placed = variants(asked, str(tmp_path / "store"))
    assert placed[-1].endswith("a.variants.html")
    command(
        parsed(
            "variants",
            "-l",
            inputs.listed,
            "-g",
            inputs.genome,
            "-m",
            inputs.models[1],
            "-op",
            tmp_path / "b",
            "--store",
            tmp_path / "store",
            "--top",
            0,
        )
    )
    flow, alone = (pd.read_csv(tmp_path / f"{name}.variant_scores.tsv", sep="\t") for name in ("a.fold_1", "b"))
    pd.testing.assert_frame_equal(flow, alone)
    mean = pd.read_csv(tmp_path / "a.mean.variant_scores.tsv", sep="\t")
    assert len(mean) == len(inputs.rows)


def test_the_flow_scores_from_a_bucket_to_a_bucket(inputs, tmp_path, monkeypatch):
    """Variants, genome, bundle, store and results in a bucket; every file as that of a run on this machine."""
    with gcs_emulator() as emulator:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        emulator.make_bucket("lab")
        files = {path.relative_to(inputs.folder).as_posix(): path for path in inputs.folder.rglob("*") if path.is_file()}
        Store("gs://lab/in").upload_all(files)
        asked = {
            "variants": "gs://lab/in/list.tsv",
            "genome": "gs://lab/in/genome.fa",
            "bundle": "gs://lab/in/published/sample",
            "top": 2,
            "output_prefix": "gs://lab/out/a",
        }
        placed = variants(asked, "gs://lab/store")
        assert placed[-1] == "gs://lab/out/a.variants.html"
        found = {name: Store("gs://lab/out").read_bytes(name) for name in Store("gs://lab/out").sizes()}
    score_variants(
        VariantsRequest(
            **asked
            | {
                "variants": inputs.listed,
                "genome": inputs.genome,
                "bundle": inputs.bundle,
                "output_prefix": str(tmp_path / "a"),
            }
        ),
        str(tmp_path / "store"),
    )
    assert found.keys() == {path.name for path in tmp_path.glob("a.*")}
    for name in (name for name in found if not name.endswith(".h5")):  # HDF5 has times
        assert found[name] == (tmp_path / name).read_bytes(), name


def test_parts_leave_all_scores_to_the_run_that_asks_for_them(inputs, tmp_path, monkeypatch):
    """As runs of a deployment would: a model each, then the report; what is left is to put files in their place."""
    monkeypatch.chdir(inputs.folder)
    asked = {
        "variants": "list.tsv",
        "genome": "genome.fa",
        "models": ["nobias_0.h5", "nobias_1.h5"],
        "top": 2,
        "output_prefix": f"{tmp_path}/out/",
    }
    elsewhere = VariantsRequest(**asked).absolute().model_dump(mode="json")
    assert elsewhere["output_prefix"] == asked["output_prefix"]
    monkeypatch.chdir(tmp_path)
    store = str(tmp_path / "store")
    for part in ("fold_1", "fold_0", REPORT_PART):
        variants_part(elsewhere, store, part)
        assert not (tmp_path / "out").exists()

    def never(*_):
        raise AssertionError("a model was loaded to predict")

    for module in ("tasks.variants.scoring", "tasks.variants.contributions"):
        monkeypatch.setattr(f"{module}.load_predictor", never)
    assert variants(elsewhere, store)[-1].endswith("out/variants.html")
    with pytest.raises(InputError, match="part fold_2; expected fold_0, fold_1, report"):
        variants_part(elsewhere, store, "fold_2")


def test_snp_score_writes_the_references_table(inputs, tmp_path, capsys):
    snp_score(
        parsed(
            "snp_score",
            "-snps",
            inputs.snps,
            "-m",
            inputs.models[0],
            "-g",
            inputs.genome,
            "-op",
            tmp_path / "x",
            "--store",
            tmp_path / "store",
        )
    )
    table = pd.read_csv(tmp_path / "x.variant_scores.tsv", sep="\t")
    assert table[["chr", "pos", "allele1", "allele2"]].to_numpy().tolist() == [[*row] for row in inputs.rows]
    assert "log_probs" not in table
    told = pd.read_csv(tmp_path / "x_snp_scores.tsv", sep="\t", keep_default_na=False)
    assert [*told] == [
        "CHR",
        "POS0",
        "REF",
        "ALT",
        "META_DATA",
        "log_counts_diff",
        "log_probs_diff_abs_sum",
        "probs_jsd_diff",
    ]
    assert told["POS0"].tolist() == [pos - 1 for _, pos, _, _ in inputs.rows]
    assert told["META_DATA"].tolist() == ["rs1" if row == 0 else "" for row in range(len(told))]
    for chrom, rows in told.groupby("CHR").groups.items():
        with h5py.File(tmp_path / f"x.{chrom}.variant_predictions.h5") as file:
            counts, logits = (
                [file[f"observed/allele{allele}_pred_{what}"][()].astype(np.float64) for allele in (1, 2)]
                for what in ("counts", "profiles")
            )
        sign = np.sign(counts[1] - counts[0])
        probs = [np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in logits]
        wanted = {
            "log_counts_diff": np.log(counts[1]) - np.log(counts[0]),
            "log_probs_diff_abs_sum": sign * np.abs(np.log(probs[1]) - np.log(probs[0])).sum(axis=1),
            "probs_jsd_diff": sign * jensenshannon(probs[0], probs[1], axis=1),
        }
        for name, values in wanted.items():
            np.testing.assert_allclose(told.loc[rows, name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    assert f"{tmp_path / 'x_snp_scores.tsv'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"models": []}, "either models or a bundle"),
        ({"bundle": "x"}, "either models or a bundle"),
        ({"models": [], "bundle": "published"}, "no published bundle"),
        ({"variants": "absent.tsv"}, "no such file"),
        ({"shuffles": -1}, "shuffles"),
        ({"color": 1}, "color"),
    ],
)
def test_refusals_leave_nothing(inputs, tmp_path, more, words):
    asked = {
        "variants": inputs.listed,
        "genome": inputs.genome,
        "models": inputs.models[:1],
        "output_prefix": str(tmp_path / "out" / "a"),
    } | more
    if asked.get("bundle") == "published":
        asked["bundle"] = str(inputs.folder / "published")
    with pytest.raises(InputError, match=words):
        variants.fn(asked, str(tmp_path / "store"))
    assert not (tmp_path / "out").exists()
