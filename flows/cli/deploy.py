"""The commands ``deploy`` and ``bridge``: set up a Prefect server, and bring a bucket's notifications to it."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chrombpnet_core.errors import InputError
from flows.cli.common import Subcommands, add_command, read_mapping

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

__all__ = [
    "ACCOUNT",
    "AUDIENCE",
    "TOKEN",
    "add_bridge",
    "add_commands",
    "add_deploy",
    "job_variables",
    "prefect_client",
    "server_of",
]

TOKEN = "CHROMBPNET_BRIDGE_TOKEN"
"""Environment variable of the secret that notifications may carry."""

ACCOUNT, AUDIENCE = "CHROMBPNET_BRIDGE_ACCOUNT", "CHROMBPNET_BRIDGE_AUDIENCE"
"""Environment variables of the service account that pushes notifications, and of its tokens' audience."""


def add_commands(commands: Subcommands) -> None:
    """Add ``deploy`` and ``bridge``."""
    add_deploy(add_command(commands, "deploy", deploy, "set up deployments and automations on a Prefect server"))
    add_bridge(add_command(commands, "bridge", bridge, "forward a bucket's notifications to Prefect as events"))


def add_deploy(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``deploy``."""
    _add_api_flag(parser)
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where finished steps are kept; every worker must reach it (default: $CHROMBPNET_STORE)",
    )
    parser.add_argument(
        "--drops", metavar="URL", help="start a run for each data set file written below this address (default: none)"
    )
    parser.add_argument(
        "--results",
        metavar="URL",
        help="address below which results are written; a page there lists all data sets (default: none)",
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="URL",
        help="address below which files named by a dropped data set file must lie, such as https://www.encodeproject.org/; "
        "repeat for several (default: the bucket of --drops, and --results)",
    )
    parser.add_argument(
        "--encode",
        metavar="YAML",
        help="settings of the scheduled flow 'encode': contact, template, output, … (default: none)",
    )
    parser.add_argument(
        "--pool-type",
        choices=["process", "kubernetes", "vertex-ai"],
        default="process",
        help="type of both work pools (default process)",
    )
    parser.add_argument(
        "--job-variable",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a job variable of both work pools, such as image=…, or of one, such as gpu.memory=64Gi "
        "(kubernetes and vertex-ai only; default: none)",
    )
    parser.add_argument(
        "--cpus", type=int, metavar="N", help="maximum number of concurrent runs on CPU machines (default: no limit)"
    )
    parser.add_argument(
        "--gpus", type=int, default=1, metavar="N", help="maximum number of folds on GPUs at a time (default 1)"
    )
    _add_retry_flags(parser)
    parser.add_argument(
        "--notify",
        metavar="TYPE/NAME",
        help="Prefect notification block to call on failures, such as slack-webhook/alerts (default: none)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would change, and exit")


def _add_retry_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--attempts",
        type=int,
        default=5,
        metavar="N",
        help="how many times a run may be started, restarts after crashes included (default 5)",
    )
    parser.add_argument(
        "--heartbeat",
        type=int,
        default=60,
        metavar="S",
        help="seconds between a run's heartbeats; a run that misses three counts as crashed (default 60, at least 30)",
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
        help="seconds that a run may wait for a machine before it counts as crashed (default 3600)",
    )


def deploy(arguments: argparse.Namespace) -> None:
    """Bring the server's pools, deployments and automations up to date, and print what changed."""
    from flows.deployment import Settings, apply, desired
    from tasks.storage import require_no_secret

    store = arguments.store or os.environ.get("CHROMBPNET_STORE")
    if not store:
        raise InputError("no store given", expected="--store URL that every worker can reach, such as gs://bucket/store")
    for flag, address in {"--store": store, "--drops": arguments.drops, "--results": arguments.results}.items():
        require_no_secret(address or "", flag)
    request = _encode_request(arguments.encode, store) if arguments.encode else None
    settings = Settings(
        store,
        arguments.drops,
        arguments.results,
        arguments.pool_type,
        arguments.cpus,
        arguments.gpus,
        arguments.attempts,
        arguments.heartbeat,
        arguments.pause,
        arguments.pending,
        arguments.notify,
        job_variables(arguments.job_variable),
        request,
        tuple(arguments.allow),
    )
    desired(settings)  # reports mistakes in flags and files before any server is asked
    with prefect_client(arguments.api) as client:
        wanted = desired(settings, _block(client, arguments.notify))
        for change in apply(client, wanted, arguments.dry_run):
            print(change)
        if arguments.dry_run:
            print("nothing was changed: --dry-run")


def job_variables(pairs: list[str]) -> dict[str, str]:
    """Split each ``NAME=VALUE``; value by name."""
    for pair in pairs:
        if "=" not in pair:
            raise InputError(f"--job-variable {pair}", expected="NAME=VALUE")
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


def _encode_request(path: str, store: str) -> dict[str, Any]:
    """Read the request of the scheduled flow ``encode``; store and deployments are set if the file does not."""
    from chrombpnet_core.formats import line_of_key
    from flows.encode import EncodeRequest
    from flows.spec import make_part

    keys = {"store": store, "deployment": "dataset/dataset", "fold_deployment": "fold/fold"}
    keys |= read_mapping(path, "request", "keys such as contact, template and output")
    return make_part(EncodeRequest, keys, path, line_of=functools.partial(line_of_key, path)).model_dump(mode="json")


def add_bridge(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``bridge``."""
    parser.add_argument(
        "address",
        metavar="URL",
        help="address to watch, such as gs://bucket/datasets/; each new object below it becomes an event",
    )
    _add_api_flag(parser)
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="network address to listen on (default 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=int, default=8080, metavar="N", help="port to listen on (default 8080; 0: any free one)"
    )
    parser.add_argument(
        "--service-account",
        metavar="EMAIL",
        default=os.environ.get(ACCOUNT),
        help="accept what Google's Pub/Sub pushes as this service account, whose identity token is verified "
        f"(default: ${ACCOUNT}); needs --audience",
    )
    parser.add_argument(
        "--audience",
        metavar="URL",
        default=os.environ.get(AUDIENCE),
        help="audience of these tokens: the address that the subscription pushes to, unless it names another "
        f"(default: ${AUDIENCE})",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="accept notifications with the secret in this file as bearer token, as S3's EventBridge sends it "
        "(default: $CHROMBPNET_BRIDGE_TOKEN)",
    )


def bridge(arguments: argparse.Namespace) -> None:
    """Forward notifications until the process is stopped."""
    from flows.deployment import Bridge, GoogleTokens, serve

    token = _token(arguments.token_file)
    if bool(arguments.service_account) != bool(arguments.audience):
        raise InputError("only one of --service-account and --audience is given", expected="both, or neither")
    google = GoogleTokens(arguments.audience, arguments.service_account) if arguments.service_account else None
    if token is None and google is None:
        raise InputError(
            "nothing says whose notifications are accepted",
            expected=f"--service-account and --audience (Google), or a secret in ${TOKEN} or --token-file (S3)",
        )
    with prefect_client(arguments.api) as client:
        serve(Bridge(client, arguments.address, token, google), arguments.host, arguments.port)


def _token(file: str | None) -> str | None:
    """Read the secret that notifications may carry."""
    from pathlib import Path

    try:
        token = Path(file).read_text().strip() if file else os.environ.get(TOKEN, "")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--token-file {file} cannot be read", found=type(error).__name__) from None
    if not token and not file:
        return None
    if len(token) < 16 or not token.isascii() or len(token.split()) > 1:
        raise InputError(
            f"{file or TOKEN}: the token that notifications carry is too weak",
            expected=f"16 characters or more without spaces in ${TOKEN} or --token-file, such as of openssl rand -hex 24",
        )
    return token


@contextlib.contextmanager
def prefect_client(api: str | None) -> Iterator[SyncPrefectClient]:
    """Open a client of the Prefect server at ``api``, or of the one that Prefect's own settings name.

    Parameters
    ----------
    api
        The server's address, such as ``http://127.0.0.1:4200/api``.

    Yields
    ------
    SyncPrefectClient
        Open within the ``with`` statement; Prefect's own calls use the same server there.

    Raises
    ------
    InputError
        If no server is named, or none answers, as a temporary one would end with this process; or if it asks for a password
        that is not there.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.environment import configured_server
    from tasks.storage import redact

    url = api or configured_server()
    if not url:
        raise InputError("no Prefect server is named", expected="$PREFECT_API_URL, such as http://127.0.0.1:4200/api")
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
        if problem is not None:
            raise InputError(
                f"{redact(url)}: no Prefect server answers",
                found=type(problem).__name__,
                remedy="start one (prefect server start), or correct the address; it ends with /api",
            )
        _let_in(client, redact(url))
        yield client


def server_of(deployment: str | None) -> contextlib.AbstractContextManager[object]:
    """Use the Prefect server that the user has configured where a deployment is named; nothing else asks for it."""
    return prefect_client(None) if deployment else contextlib.nullcontext()


def _let_in(client: SyncPrefectClient, url: str) -> None:
    """Say what is missing where the server does not let us in: its health is told to everybody."""
    from httpx import HTTPStatusError

    try:
        client.request("GET", "/admin/version")
    except HTTPStatusError as error:
        if error.response.status_code not in (401, 403):
            raise
        raise InputError(
            f"{url}: the Prefect server asks for a password",
            found="another one" if os.environ.get("PREFECT_API_AUTH_STRING") else "none",
            remedy="set PREFECT_API_AUTH_STRING, such as to admin:…; one host's is in /etc/chrombpnet/password.env",
        ) from None


def _block(client: SyncPrefectClient, name: str | None) -> str | None:
    """Look up the id of a notification block, named as ``type/name``."""
    from prefect.exceptions import ObjectNotFound

    if name is None:
        return None
    kind, _, block = name.partition("/")
    try:
        return str(client.read_block_document_by_name(block, kind, include_secrets=False).id)
    except ObjectNotFound:
        raise InputError(
            f"--notify {name}: no such block",
            expected="type/name of a notification block on the server, such as slack-webhook/alerts",
            remedy="make it in the server's web interface, under Blocks",
        ) from None


def _add_api_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--api",
        metavar="URL",
        help="address of the Prefect API, such as http://127.0.0.1:4200/api (default: as Prefect is configured)",
    )
