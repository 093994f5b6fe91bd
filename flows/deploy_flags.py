"""The flags of ``chrombpnet deploy`` and ``chrombpnet bridge``; imports nothing but argparse."""

from __future__ import annotations

import argparse

__all__ = ["add_bridge", "add_deploy"]


def add_deploy(parser: argparse.ArgumentParser) -> None:
    """Flags of ``deploy``."""
    parser.add_argument("--api", metavar="URL", help="of the Prefect server (default: as Prefect is set up)")
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs; every worker must reach it")
    parser.add_argument("--drops", metavar="URL", help="a data set file that is put below it starts a run")
    parser.add_argument("--results", metavar="URL", help="results lie below it; a page over all data sets is kept there")
    parser.add_argument("--encode", metavar="YAML", help="what the scheduled flow encode is asked: contact, template, …")
    parser.add_argument("--pool-type", choices=["process", "kubernetes", "vertex-ai"], default="process")
    parser.add_argument("--job-variable", action="append", default=[], metavar="NAME=VALUE", help="of both pools' jobs, "
                        "such as image=…; gpu.memory=64Gi is that of one (not for process)")
    parser.add_argument("--cpus", type=int, metavar="N", help="runs on CPU machines at a time (default: no limit)")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="folds at a time (default 1)")
    parser.add_argument("--attempts", type=int, default=5, metavar="N", help="how often a run may begin, crashes included "
                        "(default 5)")
    parser.add_argument("--heartbeat", type=int, default=60, metavar="S", help="seconds between a run's signs of life; "
                        "after three without one it counts as crashed (default 60, at least 30)")
    parser.add_argument("--pause", type=int, default=60, metavar="S", help="seconds between a crash and the next attempt "
                        "(default 60, at most 240)")
    parser.add_argument("--pending", type=int, default=3600, metavar="S", help="seconds that a machine may need to take up "
                        "a run (default 3600)")
    parser.add_argument("--notify", metavar="TYPE/NAME", help="Prefect block that is told of failures, such as "
                        "slack-webhook/alerts")
    parser.add_argument("--dry-run", action="store_true", help="tell what would change, and exit")


def add_bridge(parser: argparse.ArgumentParser) -> None:
    """Flags of ``bridge``."""
    parser.add_argument("address", metavar="URL", help="such as gs://bucket/datasets/: objects below it become events")
    parser.add_argument("--api", metavar="URL", help="of the Prefect server (default: as Prefect is set up)")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="default 8080; 0: a free one")
    parser.add_argument("--token-file", metavar="FILE", help="holds the word that notifications must bring along (default: "
                        "$CHROMBPNET_BRIDGE_TOKEN)")
