"""``chrombpnet view`` in a headless Chromium: igv.js shows tracks, contributions as letters, and opens the session."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from chrombpnet_core.plots import BASE_COLOURS
from chrombpnet_core.report import BrowserGenome, browser_tracks, igv_json
from tasks.reports import browsing, publish_run
from tests.acceptance.chromium import Chromium, needs_chromium
from tests.tasks.declaring import run_step

pytestmark = needs_chromium
ROOT = Path(__file__).resolve().parents[2]
START, WIDTH, LENGTH = 5000, 1000, 12_000
NAMES = {
    "observed reads",
    "full model",
    "bias model: enzyme bias alone",
    "corrected model: accessibility alone",
    "contributions to the profile",
    "training peaks of the main model",
    "motif hits",
}


@pytest.fixture(scope="module")
def igv(tmp_path_factory) -> Path:
    """The file that wheels get."""
    folder, wanted = tmp_path_factory.mktemp("npm"), json.loads((ROOT / "chrombpnet_core/report/igv.json").read_text())
    try:
        command = ["npm", "pack", f"igv@{wanted['version']}", "--ignore-scripts", "--silent"]
        subprocess.run(command, cwd=folder, check=True, timeout=120, capture_output=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"npm packs no igv.js here: {error}")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as packed:
        content = packed.extractfile("package/dist/igv.min.js").read()
    assert wanted["integrity"] == f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"
    (folder / "igv.min.js").write_bytes(content)
    return folder / "igv.min.js"


@pytest.fixture(scope="module")
def results(tmp_path_factory, igv) -> Path:
    """Results as a main run publishes them, of a genome of one chromosome."""
    folder, rng = tmp_path_factory.mktemp("results"), np.random.default_rng(1)
    (folder / "genome.fa").write_text(f">chrI\n{''.join(rng.choice(list('ACGT'), LENGTH))}\n")
    shape = np.exp(-(((np.arange(WIDTH) - WIDTH / 2) / 120) ** 2))

    def write(path, values):
        with pyBigWig.open(str(path), "w") as track:
            track.addHeader([("chrI", LENGTH)])
            track.addEntries("chrI", START, values=values, span=1, step=1)

    bodies = {
        "coverage": lambda out: write(out / "data_unstranded.bw", rng.poisson(5 * shape).astype(float)),
        "peak_tracks": lambda out: [
            write(out / f"{model}.bw", scale * shape)
            for model, scale in (("chrombpnet", 5.0), ("chrombpnet_nobias", 4.0), ("bias", 1.0))
        ],
        "contributions": lambda out: write(out / "profile_scores.bw", shape * np.sin(np.arange(WIDTH) / 3)),
        "select_main": lambda out: (out / "filtered.peaks.bed").write_text(
            f"chrI\t{START}\t{START + WIDTH}\tp\t9\t.\t1\t1\t1\t{WIDTH // 2}\n"
        ),
        "motif_hits_profile": lambda out: (out / "hits.bed").write_text(
            f"chrI\t{START + 490}\t{START + 500}\tGATA\t900\t+\n"
        ),
        "evaluate_main": lambda out: np.savez(
            out / "examples.npz",
            chroms=np.array(["chrI"]),
            starts=np.array([START]),
            observed=np.zeros((1, WIDTH)),
            labels=np.array(["best"]),
        ),
    }
    done = {
        step: run_step(str(folder / "store"), step, 1, {}, {}, lambda work, body=body: body(work.out))
        for step, body in bodies.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(browsing, "packed_igv_js", lambda: {"igv.min.js": igv})
        publish_run.fn("main", done, {"id": "Sample", "genome": str(folder / "genome.fa")}, str(folder / "out"))
    return folder / "out"


@contextmanager
def viewed(results: Path):
    """The address that the command prints."""
    command = [sys.executable, "-m", "flows.cli.main", "view", str(results), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        begun = time.monotonic()
        line = process.stdout.readline()
        print(f"first line after {time.monotonic() - begun:.2f} s")
        yield re.search(r"http://\S+", line)[0]
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        process.wait(10)
        assert time.monotonic() - begun < 1


@pytest.fixture(scope="module")
def address(results):
    with viewed(results) as address:
        yield address


@pytest.fixture(scope="module")
def page(address, tmp_path_factory):
    with Chromium(tmp_path_factory.mktemp("chromium")) as page:
        page.open(address)
        page.wait("document.documentElement.dataset.tracks === 'shown'")
        yield page


def view_of(name: str) -> str:
    return f"browser.trackViews.find(view => view.track && view.track.name === {json.dumps(name)})"


def picture_of(page: Chromium, name: str) -> np.ndarray:
    """The panel of a track."""
    clip = page.value(
        f"(() => {{ const box = {view_of(name)}.viewports[0].viewportElement.getBoundingClientRect();"
        "return {x: box.x, y: box.y + window.scrollY, width: box.width, height: box.height} })()"
    )
    return page.picture(clip=clip)


def share_of(picture: np.ndarray, colour: str) -> float:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return float((np.abs(picture.astype(int) - wanted).max(axis=-1) < 40).mean())


def test_every_track_is_there(page):
    shown = set(page.value("browser.trackViews.map(view => view.track && view.track.name)"))
    assert shown >= NAMES
    assert page.value("document.getElementById('fault').hidden")
    assert page.value("document.getElementById('note').hidden"), "there is a sequence"


def test_contributions_are_letters(page, tmp_path):
    """All four bases in their colours, and no rectangles: of each letter's box a part is left white."""
    name = "contributions to the profile"
    assert page.value(f"{view_of(name)}.track.graphType") == "dynseq"
    page.picture(tmp_path / "page.png")
    print(tmp_path / "page.png")
    picture = picture_of(page, name)
    letters = {base: share_of(picture, colour) for base, colour in BASE_COLOURS.items()}
    print(letters)
    assert min(letters.values()) > 0.002
    page.value(f"(() => {{ {view_of(name)}.track.graphType = 'bar'; {view_of(name)}.repaintViews() }})()")
    time.sleep(1)
    bars = picture_of(page, name)
    page.value(f"(() => {{ {view_of(name)}.track.graphType = 'dynseq'; {view_of(name)}.repaintViews() }})()")
    ink = [(np.abs(shown.astype(int) - 255).max(axis=-1) > 60).mean() for shown in (picture, bars)]
    print(f"ink of letters {ink[0]:.3f}, of bars {ink[1]:.3f}")
    assert ink[0] < 0.95 * ink[1]


def test_signals_are_drawn(page):
    for name in ("observed reads", "full model", "corrected model: accessibility alone"):
        picture = picture_of(page, name)
        assert (picture.std(axis=-1) > 10).mean() > 0.01, name


def test_buttons_lead_to_places(page):
    page.value("document.querySelector('button[data-locus]').click()")
    page.wait(f"Math.abs(browser.referenceFrameList[0].start - {START}) < 1")
    page.value("document.querySelectorAll('button[data-locus]')[1].click()")
    page.wait(f"Math.abs(browser.referenceFrameList[0].start - {START + WIDTH // 2 - 75}) < 1")


def test_without_a_genome_the_page_says_so(results, tmp_path_factory):
    moved = results.parent / "genome.fa"
    moved.rename(results.parent / "away.fa")
    try:
        with viewed(results) as address, Chromium(tmp_path_factory.mktemp("chromium")) as page:
            page.open(address)
            page.wait("document.documentElement.dataset.tracks === 'shown'")
            assert "no letters" in page.value("document.getElementById('note').textContent")
    finally:
        (results.parent / "away.fa").rename(moved)


def test_the_session_opens_in_igv_js(results, address, page, tmp_path_factory):
    """As a run in a bucket writes it, with whole addresses."""
    base = address.partition("browser/")[0]
    names = [path.relative_to(results).as_posix() for path in sorted(results.rglob("*")) if path.is_file()]
    genome = BrowserGenome(fasta=f"{base}browser/genome.fa", index=f"{base}browser/genome.fa.fai")
    session = igv_json(browser_tracks(names), genome, f"chrI:{START + 1}-{START + WIDTH}", base)
    (results / "session.json").write_text(session)
    page.value(f"browser.loadSession({{url: '{base}session.json'}}).then(() => true)")
    assert set(page.value("browser.trackViews.map(view => view.track && view.track.name)")) >= NAMES
    assert page.value(f"Math.abs(browser.referenceFrameList[0].start - {START}) < 1")
    assert page.value(f"{view_of('contributions to the profile')}.track.graphType") == "dynseq"


def test_igv_js_that_is_not_there_is_told(results, tmp_path_factory):
    script = results / "browser" / "igv.min.js"
    content = script.read_bytes()
    script.unlink()
    try:
        with viewed(results) as address, Chromium(tmp_path_factory.mktemp("chromium")) as page:
            page.open(address)
            page.wait("document.documentElement.dataset.tracks === 'failed'")
            assert "was not loaded" in page.value("document.getElementById('fault').textContent")
    finally:
        script.write_bytes(content)
