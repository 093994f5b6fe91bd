"""The report over folds as a step, and the index of what was published, local and remote."""

from __future__ import annotations

import json
import logging
import time
from html.parser import HTMLParser

import fsspec
import numpy as np
import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.evaluation import Footprint, evaluate_predictions, write_footprints
from tasks.reports import FOLDS_REPORT, folds_report_request, make_index, publish_folds
from tasks.steps.ensemble import AGREEMENT
from tasks.storage import place_files
from tests.tasks.declaring import run_step


def report_folds(store, title, assay, folds, *more):
    test = {name: tuple(results["evaluate_main"].manifest["parameters"]["test"]) for name, results in folds.items()}
    return FOLDS_REPORT(store, *folds_report_request(title, assay, folds, test, *more))


def evaluated(store, i, seed=0):
    """A step that evaluated an invented model of fold ``i``."""

    def body(work):
        rng = np.random.default_rng([i, seed])
        observed = rng.poisson(np.exp(rng.normal(0, 1, (60, 1))), (60, 50))
        for model, noise in (("chrombpnet", 0.3), ("bias", 3)):
            counts = np.log1p(observed.sum(axis=1)) + rng.normal(0, noise, 60)
            (work.out / f"{model}_metrics.json").write_text(
                json.dumps(evaluate_predictions(observed, rng.normal(size=(60, 50)), counts, np.arange(60) < 30))
            )
        profile = np.full(50, 0.001)
        profile[25] = 0.002 + i / 1000
        write_footprints(
            {"control": Footprint(profile, 1.0), "tn5_1": Footprint(profile, 1.0)},
            work.out / "chrombpnet_nobias_footprints.h5",
        )

    return run_step(str(store), "evaluate_main", 1, {}, {"test": [f"chr{i}"], "seed": seed, "i": i}, body)


def reported(store, i):
    def body(work):
        (work.out / "report.json").write_text(str(time.time_ns()))  # as a report holds times
        verdicts = [{"title": "Sequencing depth", "status": "warn"}, {"title": "all right", "status": "pass"}]
        work.facts |= {"overall": "warn", "verdicts": verdicts}

    return run_step(str(store), "report", 1, {}, {"i": i}, body)


def averaged(store):
    def agree(work):
        kind = {"average_tracks": "log_counts", "average_contributions": "contributions"}[work.parameters["of"]]
        name = {"average_tracks": "chrombpnet", "average_contributions": "profile"}[work.parameters["of"]]
        (work.out / AGREEMENT).write_text(json.dumps({name: {"folds": 2, "regions": 7, "pairs": [[0, 1]], kind: [0.5]}}))

    def motifs(work):
        work.facts["kinds"] = {"tf": 2, "enzyme": 0, "unmatched": 1}
        (work.out / "motifs.json").write_text("{}")

    return {
        **{of: run_step(str(store), of, 1, {}, {"of": of}, agree) for of in ("average_tracks", "average_contributions")},
        "motifs_profile": run_step(str(store), "motifs_profile", 1, {}, {}, motifs),
    }


def test_steps_become_a_report(tmp_path):
    folds = {
        "fold_0": {"evaluate_main": evaluated(tmp_path, 0), "report": reported(tmp_path, 0)},
        "fold_1": {"evaluate_main": evaluated(tmp_path, 1)},
    }
    sweep = [{"factor": 0.5, "r_peaks": -0.1, "chosen": True, "reason": "the only one"}]
    result = report_folds(str(tmp_path), "yeast", "ATAC", folds, averaged(tmp_path), sweep, {"README": "README.md"})
    assert sorted(result.manifest["files"]) == ["folds_report.html", "folds_report.json"]
    numbers = json.loads(result.file("folds_report.json").read_text())
    first, second = numbers["folds"]
    metrics = json.loads(folds["fold_1"]["evaluate_main"].file("chrombpnet_metrics.json").read_text())
    assert second["pearson_peaks"] == metrics["counts_metrics"]["peaks"]["pearsonr"]
    assert (first["overall"], first["findings"], first["report"]) == (
        "warn",
        ["Sequencing depth"],
        "fold_0/overall_report.html",
    )
    assert (second["overall"], second["test"], second["report"]) == ("info", ["chr1"], "")
    assert [fold["footprint"] for fold in numbers["folds"]] == pytest.approx([0.002, 0.003])
    assert set(numbers["agreement"]) == {"chrombpnet", "profile"}
    assert numbers["motifs"] == {"profile": {"tf": 2, "enzyme": 0, "unmatched": 1}}
    page = result.file("folds_report.html").read_text()
    for text in ("yeast", "fold_0/overall_report.html", "README.md", "the only one"):
        assert text in page
    assert report_folds(str(tmp_path), "yeast", "ATAC", folds, averaged(tmp_path), sweep, {"README": "README.md"}).cached
    again = folds["fold_0"]["report"].again()
    assert again.digest != folds["fold_0"]["report"].digest
    folds["fold_0"]["report"] = again
    assert report_folds(str(tmp_path), "yeast", "ATAC", folds, averaged(tmp_path), sweep, {"README": "README.md"}).cached


def links(page):
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.extend(value for name, value in attrs if name == "href")
    parser.feed(page)
    return found


@pytest.mark.parametrize("where", ["local", "memory"])
def test_the_index_finds_all_data_sets(tmp_path, caplog, where):
    root = str(tmp_path / "models") if where == "local" else "memory://models/all"
    for name in ("one", "two"):
        result = report_folds(
            str(tmp_path / "store"), name, "ATAC", {"fold_0": {"evaluate_main": evaluated(tmp_path / "store", 0, len(name))}}
        )
        assert publish_folds.fn(result, f"{root}/deep/{name}") == f"{root}/deep/{name}/folds_report.html"
    broken = {
        "bad/folds_report.json": "{",
        "list/folds_report.json": "[1]",
        "old/folds_report.json": '{"format": 0}',
        "odd/folds_report.json": '{"format": 1, "metrics": {"auroc": {"median": "<script>"}}}',
    }
    place_files({}, broken, root)
    with caplog.at_level(logging.WARNING):
        address = make_index(root)
    assert address == f"{root}/index.html"
    with fsspec.open(address, "rt") as file:
        page = file.read()
    assert links(page) == ["./deep/one/folds_report.html", "./deep/two/folds_report.html"]
    assert '<script>"' not in page
    assert sum("is left out" in record.message for record in caplog.records) == 4
    assert make_index(root) == address  # again, over itself


def test_an_index_needs_a_report(tmp_path):
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(InputError, match="no report over folds"):
            make_index(str(root))
        assert not (root / "index.html").exists()
