"""The commands of a production: put deployments onto a server, and bring bucket notifications to it."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import InputError

__all__ = ["TOKEN", "add_bridge", "add_deploy", "bridge", "deploy", "server"]

TOKEN = "CHROMBPNET_BRIDGE_TOKEN"
"""Environment variable of the word that notifications must bring along."""


def deploy(given: argparse.Namespace) -> None:
    """``chrombpnet deploy``: what changed, a line for each thing."""
    from flows.deployment import Settings, apply, desired

    store = given.store or os.environ.get("CHROMBPNET_STORE")
    if not store:
        raise InputError("no store given", expected="--store URL that every worker can reach, such as gs://bucket/store")
    request = _encode_request(given.encode, store) if given.encode else None
    settings = Settings(
        store,
        given.drops,
        given.results,
        given.pool_type,
        given.cpus,
        given.gpus,
        given.attempts,
        given.heartbeat,
        given.pause,
        given.pending,
        given.notify,
        _variables(given.job_variable),
        request,
    )
    desired(settings)  # mistakes in flags and files are told before any server is asked
    with server(given.api) as client:
        wanted = desired(settings, _block(client, given.notify))
        for change in apply(client, wanted, given.dry_run):
            print(change)
        if given.dry_run:
            print("nothing was changed: --dry-run")


def _variables(given: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` → value by name."""
    for each in given:
        if "=" not in each:
            raise InputError(f"--job-variable {each}", expected="NAME=VALUE")
    return {name: value for name, _, value in (each.partition("=") for each in given)}


def _encode_request(path: str, store: str) -> dict[str, Any]:
    """What the scheduled flow ``encode`` is asked: a YAML file of an EncodeRequest; store and deployments are these."""
    import yaml

    from chrombpnet_core.formats import require_file
    from flows.encode import EncodeRequest
    from flows.spec import make_part

    try:
        content = yaml.safe_load(require_file(path, "request").read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML", found=str(error)) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a request", expected="keys such as contact, template and output")
    given = {"store": store, "deployment": "dataset/dataset", "fold_deployment": "fold/fold"} | content
    return make_part(EncodeRequest, given, path).model_dump(mode="json")


def bridge(given: argparse.Namespace) -> None:
    """``chrombpnet bridge``: serve until it is told to stop."""
    from flows.deployment import Bridge, serve

    token = Path(given.token_file).read_text().strip() if given.token_file else os.environ.get(TOKEN, "")
    if len(token) < 16:
        raise InputError(
            "no token that notifications must bring along", expected=f"16 characters or more in ${TOKEN} or --token-file"
        )
    with server(given.api) as client:
        serve(Bridge(client, given.address, token), given.host, given.port)


@contextlib.contextmanager
def server(api: str | None) -> Iterator[Any]:
    """A synchronous client of the Prefect server at ``api``, or of the one that Prefect's own settings name.

    Raises
    ------
    InputError
        Where no server is named, or none answers: one that lives in this process would be gone with it.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from tasks.storage import redact

    url = api or PREFECT_API_URL.value()
    if not url:
        raise InputError(
            "no Prefect server is named", expected="--api URL or $PREFECT_API_URL, such as http://127.0.0.1:4200/api"
        )
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
        if problem is not None:
            raise InputError(
                f"{redact(url)}: no Prefect server answers",
                found=type(problem).__name__,
                remedy="start one (prefect server start), or mend the address; it ends with /api",
            )
        yield client


def _block(client: Any, name: str | None) -> str | None:
    """The id of a notification block that is named as ``type/name``."""
    from prefect.exceptions import ObjectNotFound

    if name is None:
        return None
    kind, _, own = name.partition("/")
    try:
        return str(client.read_block_document_by_name(own, kind, include_secrets=False).id)
    except ObjectNotFound:
        raise InputError(
            f"--notify {name}: no such block",
            expected="type/name of a notification block on the server, such as slack-webhook/alerts",
            remedy="make it in the server's pages, under Blocks",
        ) from None


def add_deploy(parser: argparse.ArgumentParser) -> None:
    """Flags of ``deploy``."""
    parser.add_argument("--api", metavar="URL", help="of the Prefect server (default: as Prefect is set up)")
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs; every worker must reach it")
    parser.add_argument("--drops", metavar="URL", help="a data set file that is put below it starts a run")
    parser.add_argument("--results", metavar="URL", help="results lie below it; a page over all data sets is kept there")
    parser.add_argument("--encode", metavar="YAML", help="what the scheduled flow encode is asked: contact, template, …")
    parser.add_argument("--pool-type", choices=["process", "kubernetes", "vertex-ai"], default="process")
    parser.add_argument(
        "--job-variable",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of both pools' jobs, such as image=…; gpu.memory=64Gi is that of one (not for process)",
    )
    parser.add_argument("--cpus", type=int, metavar="N", help="runs on CPU machines at a time (default: no limit)")
    parser.add_argument("--gpus", type=int, default=1, metavar="N", help="folds at a time (default 1)")
    parser.add_argument(
        "--attempts", type=int, default=5, metavar="N", help="how often a run may begin, crashes included (default 5)"
    )
    parser.add_argument(
        "--heartbeat",
        type=int,
        default=60,
        metavar="S",
        help="seconds between a run's signs of life; after three without one it counts as crashed (default 60, at least 30)",
    )
    parser.add_argument(
        "--pause",
        type=int,
        default=60,
        metavar="S",
        help="seconds between a crash and the next attempt (default 60, at most 240)",
    )
    parser.add_argument(
        "--pending",
        type=int,
        default=3600,
        metavar="S",
        help="seconds that a machine may need to take up a run (default 3600)",
    )
    parser.add_argument(
        "--notify", metavar="TYPE/NAME", help="Prefect block that is told of failures, such as slack-webhook/alerts"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would change, and exit")


def add_bridge(parser: argparse.ArgumentParser) -> None:
    """Flags of ``bridge``."""
    parser.add_argument("address", metavar="URL", help="such as gs://bucket/datasets/: objects below it become events")
    parser.add_argument("--api", metavar="URL", help="of the Prefect server (default: as Prefect is set up)")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="default 8080; 0: a free one")
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="holds the word that notifications must bring along (default: $CHROMBPNET_BRIDGE_TOKEN)",
    )
