"""The command ``chrombpnet view``: results on this machine, served to its browser, their tracks on a page of igv.js."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import Future
from html import escape
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

from chrombpnet_core.errors import InputError
from flows.cli.common import Subcommands, add_command

__all__ = ["add_commands", "view"]

_PAGES = "browser/*index.html"
_REPORTS = ("folds_report.html", "*overall_report.html", "evaluation/*overall_report.html")
_DEPTH = ("", "*/", "*/*/")  # of a run's folder, a fold's, a data set's
_IGV_JS = "igv.min.js"  # that a page that is made here asks for
_SHORT = 1 << 20  # bytes of a file of settings
_GENOME = ("genome.fa", "genome.fa.fai", "genome.fa.gz", "genome.fa.gz.fai", "genome.fa.gz.gzi")  # what pages ask for
_LIST = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>{name} · ChromBPNet</title>
<style>body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }}</style>
<h1>{name}</h1>
{lists}
</html>
"""


def add_commands(commands: Subcommands) -> None:
    """Add ``view``."""
    add_view(add_command(commands, "view", view, "show the tracks and reports of a results folder in a web browser"))


def add_view(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``view``."""
    parser.add_argument("results", metavar="RESULTS", help="results of a run or a data set: a folder of this machine")
    parser.add_argument(
        "-g",
        "--genome",
        metavar="FASTA",
        help="genome sequence, for the letters of the contributions (default: that of the run)",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 to serve at (default 0: any that is free)"
    )
    parser.add_argument("--no-open", action="store_true", help="print the address and open no web browser")


def view(arguments: argparse.Namespace) -> None:
    """Serve results until Ctrl-C."""
    from flows.file_server import FileServer

    if not 0 <= arguments.port <= 65535:
        raise InputError(f"--port {arguments.port}", expected="0 to 65535")
    results = _Results(arguments.results, arguments.genome)
    try:
        server = FileServer(results.find, arguments.port)
    except OSError as error:
        raise InputError(
            f"--port {arguments.port}: {os.strerror(error.errno) if error.errno else error}",
            remedy="give another, or none: any that is free is taken",
        ) from None
    address = server.address + (quote(results.pages[0]) if len(results.pages) == 1 else "")
    with server:
        print(f"{results.root}: {address}   (Ctrl-C ends it)", flush=True)
        if os.environ.get("SSH_CONNECTION"):
            port = server.server_port
            print(
                f"from another machine: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE, then the same address there", flush=True
            )
        if not arguments.no_open and _has_screen():
            # A process of its own, which is gone once the browser runs: the end of this one is not that of the browser.
            command, nothing = [sys.executable, "-m", "webbrowser", address], subprocess.DEVNULL
            subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
        server.serve_forever(poll_interval=0.2)


def _has_screen() -> bool:
    """Whether a web browser would open a window; one in the terminal is not wanted."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


class _Results:
    """A results folder: its files, a page that leads to its pages, and the genome, for pages that ask for one."""

    def __init__(self, folder: str, genome: str | None) -> None:
        if "://" in folder and not folder.startswith("file://"):
            raise InputError(
                f"{folder.partition('?')[0]} is not on this machine",
                expected="a folder",
                remedy="open its browser/index.html in a web browser, or copy it here",
            )
        path = Path(folder.removeprefix("file://")).expanduser()
        if not path.is_dir():
            raise InputError(f"{path}: {'not a folder' if path.exists() else 'no such folder'}", expected="results of a run")
        self.root = path.resolve()
        self.pages = self._glob((_PAGES,))
        self.tracks = [] if self.pages else self._glob(("*.bw", "auxiliary/*.bw", "tracks/*.bw"), _DEPTH[:1])
        if not self.pages and not self.tracks:
            raise InputError(
                f"{path}: no tracks", expected="results of a run", remedy="give the folder of its -o or `output`"
            )
        self._genome: Future[dict[str, Path]] = Future()
        self._fasta = Path(genome).expanduser() if genome else None
        if self._fasta is not None and not self._fasta.is_file():
            raise InputError(f"{self._fasta}: no such file", expected="the genome as FASTA")
        Thread(target=self._find_genome, daemon=True, name="genome").start()

    def _glob(self, patterns: tuple[str, ...], depth: tuple[str, ...] = _DEPTH) -> list[str]:
        """Find files that are not hidden, relative to the folder."""
        found = [path for pattern in patterns for start in depth for path in sorted(self.root.glob(start + pattern))]
        names = [path.relative_to(self.root).as_posix() for path in found if path.is_file()]
        return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]

    def find(self, parts: list[str]) -> Path | bytes | None:
        """Find what a path leads to."""
        from flows.file_server import file_below

        found = file_below(self.root, parts)
        if found is not None:
            return found if parts else self._start()
        if parts == [_IGV_JS]:
            from chrombpnet_core.report import packed_igv_js

            return packed_igv_js().get(_IGV_JS)
        return self._genome.result().get(parts[-1]) if parts and parts[-1] in _GENOME else None

    def _start(self) -> bytes:
        """Make the page that leads to all others."""
        if not self.pages:
            return self._page_of_tracks()
        lists = "".join(
            f"<h2>{title}</h2><ul>{''.join(map(_entry, names))}</ul>"
            for title, names in (("Tracks", self.pages), ("Reports", self._glob(_REPORTS)))
            if names
        )
        return _LIST.format(name=escape(self.root.name), lists=lists).encode()

    def _page_of_tracks(self) -> bytes:
        """Make the page of tracks of results that have none."""
        import pyBigWig

        from chrombpnet_core.report import (
            BrowserGenome,
            BrowserPage,
            browser_tracks,
            known_assembly,
            packed_igv_js,
            render_browser_page,
        )

        others = ("auxiliary/interpret_subsample/*.bw", "auxiliary/*.bed", "evaluation/*/*hits.bed")
        with pyBigWig.open(str(self.root / self.tracks[0])) as track:
            sizes = track.chroms()
        reports = self._glob(_REPORTS, _DEPTH[:1])
        page = BrowserPage(
            title=self.root.name,
            tracks=browser_tracks(dict.fromkeys([*self.tracks, *self._glob(others, _DEPTH[:1])])),
            genome=BrowserGenome(known_assembly(sizes)),
            sizes=sizes,
            links={"Report": quote(reports[0])} if reports else {},
            script=_IGV_JS if packed_igv_js() else "",
        )
        return render_browser_page(page).encode()

    def _find_genome(self) -> None:
        """Index the genome where that was not done yet; there is none where the run's is no longer in its place."""
        files: dict[str, str | None] = {}
        fasta = self._fasta or self._recorded_genome()
        try:
            if fasta is not None:
                from chrombpnet_core.genome import open_genome

                with open_genome(fasta) as genome:
                    name = "genome.fa" if genome.gzi is None else "genome.fa.gz"
                    files = {name: genome.path, f"{name}.fai": genome.fai, f"{name}.gzi": genome.gzi}
        except (InputError, OSError) as error:
            print(f"no letters: {error}", file=sys.stderr)
        finally:
            self._genome.set_result({name: Path(path).resolve() for name, path in files.items() if path is not None})

    def _recorded_genome(self) -> Path | None:
        """Look the genome up in the settings of the run; it is served only if it is FASTA."""
        for name in self._glob(("logs/*args.json", "run.json")):
            path = self.root / name
            if path.stat().st_size > _SHORT:
                continue
            try:
                settings: Any = json.loads(path.read_text())
                fasta = Path(str(settings.get("spec", settings)["genome"]).removeprefix("file://")).expanduser()
            except (ValueError, AttributeError, KeyError, TypeError, OSError):
                continue
            if fasta.is_file():
                return fasta
        return None


def _entry(name: str) -> str:
    """Write a page's entry: the folder of its run stands for it, or its name where it has none."""
    run = name.partition("browser/")[0].partition("evaluation/")[0].rpartition("/")[0]
    return f'<li><a href="{escape(quote(name))}">{escape(run or name.rpartition("/")[2])}</a></li>'
