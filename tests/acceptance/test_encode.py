"""An experiment of a portal on loopback, done by ``chrombpnet encode run --here`` to its report; its row tells of it."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest
import yaml

from chrombpnet_core.simulation import TINY, simulate
from flows.cli.main import main
from tasks.encode import Catalogue
from tests.emulators.encode_experiments import Maker
from tests.emulators.portal import Bucket, PortalSite, serving


@pytest.fixture
def simulated(tmp_path):
    return simulate(tmp_path / "tiny", TINY, bgzip=True)


def _untrained(path: Path) -> str:
    """A bias model that nobody trained."""
    from chrombpnet_core.models import Architecture, bpnet, draw_weights, save_model

    model = bpnet(Architecture(filters=4, layers=3, input_length=600, output_length=200))
    draw_weights(model, 2)
    save_model(model, path)
    return str(path)


def _template(simulated, path: Path) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "genome": str(simulated.genome),
                "chrom_sizes": str(simulated.sizes),
                "folds": [str(simulated.fold)],
                "input_length": 600,
                "output_length": 200,
                "background": {"stride": 200},
                "bias": {"model": _untrained(path.with_name("bias.h5"))},
                "model": {"filters": 8, "layers": 4, "epochs": 1, "jitter": 50},
                "training": {"batch_size": 64, "device": "cpu"},
                "explanation": {"peaks": 0},
            }
        )
    )
    return path


def _put(portal: PortalSite, bucket: Bucket, experiment: str, accession: str, data: bytes) -> None:
    """Give a file of an experiment this content."""
    file = next(each for each in portal.experiments[experiment]["original_files"] if each["accession"] == accession)
    bucket.objects[file["cloud_metadata"]["url"].removeprefix(bucket.url)] = data
    file |= {"file_size": len(data), "md5sum": hashlib.md5(data, usedforsecurity=False).hexdigest()}


def test_an_experiment_is_done_here_to_its_report_and_its_row_tells(simulated, tmp_path, capsys):
    portal, bucket = PortalSite(), Bucket()
    with serving(portal, bucket):
        maker = Maker(portal, bucket, "http://127.0.0.1:9", seed=8)
        name = maker.one("plain")
        portal.experiments[name]["assay_title"] = "ATAC-seq"
        wanted = maker.wanted[name]
        _put(portal, bucket, name, wanted.reads[0], simulated.bam.read_bytes())
        _put(portal, bucket, name, wanted.peaks, gzip.compress(simulated.peaks.read_bytes()))
        command = [
            "encode",
            "run",
            "--here",
            "--template",
            str(_template(simulated, tmp_path / "human.yaml")),
            "-o",
            str(tmp_path / "out"),
            "--store",
            str(tmp_path / "store"),
            "--contact",
            "tests@example.org",
            "--price",
            "2.5",
            "--portal",
            portal.url,
            "--bucket",
            bucket.url,
        ]
        assert main(command) == 0
        said = capsys.readouterr().out
        assert "     1  done\n     1  started now\npage: " in said

        entry = Catalogue(str(tmp_path / "out")).read()[name]
        assert (entry.state, entry.reason, entry.attempt, entry.run) == ("done", "", 1, "")
        assert -1 <= entry.pearson_peaks <= 1
        assert 0 <= entry.auroc <= 1
        assert (entry.gpu_hours, entry.cost) == (0, 0)  # as it was done on a CPU
        assert Path(entry.report).read_text().startswith("<!DOCTYPE html>")
        page = (tmp_path / "out" / "catalogue.html").read_text()
        assert f'href="./{entry.report.removeprefix(str(tmp_path / "out") + "/")}"' in page
        assert main(["encode", "list", str(tmp_path / "out")]) == 0
        assert capsys.readouterr().out.split("\t")[:2] == [name, "done"]

        assert main(["status", entry.output]) == 0
        parts = [line for line in capsys.readouterr().out.splitlines()[1:] if not line.startswith(" ")]
        assert parts
        assert all(" done at " in line for line in parts), parts

        asked = len(bucket.requests)
        assert main(command) == 0
        assert "     1  done\n     0  started now\n" in capsys.readouterr().out
        assert len(bucket.requests) == asked
