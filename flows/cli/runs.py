"""The commands about whole runs: ``run``, ``status``, ``resume``, ``clean``, ``verify`` and ``index``."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from chrombpnet_core.errors import InputError, counted
from flows.cli.common import (
    Subcommands,
    add_command,
    add_dry_run_flag,
    add_runtime_flags,
    add_store_flag,
    store_of,
)
from flows.cli.deploy import server_of
from flows.cli.first_words import say

if TYPE_CHECKING:
    from flows.dataset import Pipeline
    from flows.spec import DatasetSpec
    from tasks.steps import CheckedInputs

__all__ = ["add_commands", "check_inputs_of", "on_device", "say_plan", "say_result", "start_pipeline"]


def add_commands(commands: Subcommands) -> None:
    """Add ``run``, ``status``, ``resume``, ``clean``, ``verify`` and ``index``."""
    add_run(add_command(commands, "run", run, "run a whole data set described in a YAML file"))
    add_status(add_command(commands, "status", status, "show which steps of a run are done, running or failed, and why"))
    add_resume(add_command(commands, "resume", resume, "continue a run with its recorded settings"))
    add_clean(
        add_command(
            commands, "clean", clean, "list files of a run in the store that can be deleted; with --yes, delete them"
        )
    )
    add_verify(add_command(commands, "verify", verify, "read a whole store and list what is damaged in it"))
    add_index(add_command(commands, "index", index, "write a page listing all data sets below a folder or address"))


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``run``."""
    parser.add_argument("dataset", nargs="?", metavar="DATASET.YAML", help="data set file: YAML or JSON")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a data set file and exit")
    parser.add_argument("--fold", type=int, metavar="I", help="run only this fold; the first is 0 (default: all folds)")
    parser.add_argument(
        "--bias-only", action="store_true", help="stop after the bias threshold factor is chosen from the several given"
    )
    parser.add_argument(
        "--folds-at-once",
        type=int,
        metavar="N",
        help="number of folds that run at a time; in place of folds_at_once of the data set file, whose default is 1",
    )
    parser.add_argument(
        "--fold-deployment",
        metavar="NAME",
        help="run each fold as a run of this Prefect deployment of the flow 'fold', such as fold/fold (default: here)",
    )
    add_dry_run_flag(parser)
    add_runtime_flags(parser)


def run(arguments: argparse.Namespace) -> None:
    """Run a data set."""
    from flows.spec import DatasetSpec, read_spec

    if arguments.schema:
        return print(json.dumps(DatasetSpec.model_json_schema(), indent=1))
    if not arguments.dataset:
        raise InputError("no data set given", expected="a YAML file", remedy="see docs/dataset.md for an example")
    spec = on_device(read_spec(arguments.dataset), arguments.device)
    if arguments.folds_at_once is not None:
        if arguments.folds_at_once < 1:
            raise InputError(f"--folds-at-once {arguments.folds_at_once}", expected="1 or more")
        spec = spec.model_copy(update={"folds_at_once": arguments.folds_at_once})
    return _start(spec, store_of(arguments), arguments)


def on_device(spec: DatasetSpec, device: str | None) -> DatasetSpec:
    """Return the same data set, trained on the device of the flag where it is given."""
    return spec.model_copy(update={"training": spec.training.model_copy(update={"device": device})}) if device else spec


def _start(spec: DatasetSpec, store: str, arguments: argparse.Namespace) -> None:
    from chrombpnet_core.devices import configure

    if arguments.backend or spec.training.device != "auto":
        configure(arguments.backend, spec.training.device)
    if arguments.dry_run:
        return say_plan(spec, store)
    from flows.dataset import end_with_parent, inherited_checks

    checked = inherited_checks() or check_inputs_of(spec, store)
    say("starting Prefect; the first step begins in some 15 s")
    from flows.dataset import dataset, fold

    end_with_parent()
    if arguments.fold is not None or arguments.bias_only:
        result = fold(spec, store, arguments.fold or 0, arguments.bias_only, checked)
        return say_result(result, "table" if arguments.bias_only else "report")
    with server_of(arguments.fold_deployment):
        for report in dataset(spec, store, arguments.fold_deployment, checked):
            say_result(report)


def start_pipeline(spec: DatasetSpec, store: str, pipeline: Pipeline, dry_run: bool = False) -> None:
    """Train or judge one model, or with ``dry_run`` print what would be done."""
    if dry_run:
        return say_plan(spec, store, pipeline)
    checked = check_inputs_of(spec, store)
    say("starting Prefect; the first step begins in some 15 s")
    from flows.dataset import pipeline as flow

    return say_result(flow(spec, store, pipeline, checked), "report" if pipeline.judged else "results")


def add_status(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``status``."""
    _add_recorded_run(parser)
    add_store_flag(parser, "default: as recorded")


def status(arguments: argparse.Namespace) -> None:
    """Print the state of each part and step of a run."""
    from tasks.runs import status_lines

    record = _read_record(arguments)
    if record.get("complete"):
        name, output, store = record["spec"]["id"], record["spec"]["output"], arguments.store or record["store"]
    else:
        spec, store, _ = _read_recorded_run(arguments)
        name, output = spec.id, spec.output
    print(f"{name}: results in {output}, steps in {store}")
    print("\n".join(status_lines(store, output, record.get("outline") or _outline(arguments), record.get("seconds"))))


def _outline(arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    """List the steps of a run of an earlier version, which did not record them."""
    from flows.dataset import outline

    return outline(_read_recorded_run(arguments)[0])


def add_resume(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``resume``."""
    _add_recorded_run(parser)
    add_dry_run_flag(parser)
    add_runtime_flags(parser)


def resume(arguments: argparse.Namespace) -> None:
    """Run a recorded data set or pipeline again: only what is missing is computed."""
    spec, store, options = _read_recorded_run(arguments)
    spec, backend = on_device(spec, arguments.device), arguments.backend or options.get("backend")
    if options.get("pipeline"):
        from chrombpnet_core.devices import configure
        from flows.dataset import Pipeline

        configure(backend, spec.training.device)
        return start_pipeline(spec, store, Pipeline(**options["pipeline"]), arguments.dry_run)
    as_recorded = argparse.Namespace(
        backend=backend,
        dry_run=arguments.dry_run,
        fold=None,
        bias_only=False,
        fold_deployment=options.get("fold_deployment"),
    )
    return _start(spec, store, as_recorded)


def add_clean(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``clean``."""
    add_status(parser)
    parser.add_argument(
        "--all", action="store_true", help="include the outputs of the run's steps, unless another run uses them"
    )
    parser.add_argument("--yes", action="store_true", help="delete the listed files")


def clean(arguments: argparse.Namespace) -> None:
    """List what a run left in the store; delete it only with ``--yes``."""
    from tasks.runs import find_removable, remove

    spec, store, _ = _read_recorded_run(arguments)
    items = find_removable(store, spec.output, arguments.all)
    for item in items:
        print(f"{_readable_size(item.size):>10}  {item.what}  {item.shown}")
    total = _readable_size(sum(item.size for item in items))
    if not items:
        print("nothing to delete" if arguments.all else "nothing to delete; --all includes the outputs of the run's steps")
    elif arguments.yes:
        remove(items)
        print(f"{total} freed; the results in {spec.output} are untouched")
    else:
        print(f"{total} would be freed; the same command with --yes deletes it")


def add_verify(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``verify``."""
    parser.add_argument("folder", nargs="?", metavar="STORE", help="folder or address of the store; the same as --store")
    add_store_flag(parser)


def verify(arguments: argparse.Namespace) -> int:
    """Compare every file in a store with its checksum; 2 where something is damaged."""
    from tasks.runs import verify_store
    from tasks.storage import Store, redact

    store = arguments.folder or store_of(arguments)
    found = verify_store(store)
    for damage in found.damages:
        print(f"damaged: {damage.path} ({damage.step}) {damage.fault}; {damage.remedy}")
    number, steps = found.seen.pop("files", 0), found.seen.pop("steps", 0)
    seen = {"files": f"{counted(number, 'files')} of {counted(steps, 'steps')}"}
    seen |= {what: counted(number, what) for what, number in found.seen.items()}
    print(f"{redact(Store(store).url)}: looked at {', '.join(seen.values())}; {_readable_size(found.size)} were read")
    for what, number in found.passed_over.items():
        if number:
            print(f"not looked at: {counted(number, what)}")
    print("not looked at: inputs, results folders and bundles, and this machine's copies")
    print(f"{len(found.damages):,} damaged" if found.damages else "nothing is damaged")
    return 2 if found.damages else 0


def add_index(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``index``."""
    parser.add_argument("root", metavar="FOLDER", help="folder or address that holds results or bundles of data sets")


def index(arguments: argparse.Namespace) -> None:
    """Write a page listing the data sets below an address."""
    from tasks.reports import make_index

    say_result(make_index(arguments.root), "index")


def check_inputs_of(spec: DatasetSpec, store: str) -> CheckedInputs:
    """Check all inputs before a server or backend starts, so that mistakes are reported at once; what is known of them."""
    say("checking the inputs")
    from flows.dataset import check_dataset

    return check_dataset(spec, store)


def say_plan(spec: DatasetSpec, store: str, pipeline: Pipeline | None = None) -> None:
    """Print what ``--dry-run`` asks for: the steps, whether the store has them, and what the run needs."""
    say("checking the inputs, and what the store has of them")
    from flows.dataset import plan

    would_do = plan(spec, store, pipeline)
    several = len(would_do.parts) > 1
    for part, steps in would_do.parts.items():
        if several:
            print(f"{part}:")
        for step, in_store in steps.items():
            print(f"{'  ' if several else ''}{step:<16} {'in the store' if in_store else 'would run'}")
    print(f"results would go to {spec.output}")
    print(f"needs at most: {would_do.needs}")
    if would_do.refusal:
        print(f"would be refused here: {would_do.refusal}")


def say_result(address: str, what: str = "report") -> None:
    """Print where a result is."""
    print(f"{what}: {address}")
    sys.stdout.flush()


def _add_recorded_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recorded", metavar="RUN", help="results of the run (its output folder or address), or its data set file"
    )


def _read_record(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read the record of a run that is named by its data set file, its output, or the record itself."""
    from tasks.runs import read_run

    name = arguments.recorded
    if _is_dataset_file(name):
        from flows.spec import read_spec

        name = read_spec(name).output
    return read_run(name, store_of(arguments) if arguments.store else None)


def _is_dataset_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml", ".json")) and not name.endswith("run.json")


def _read_recorded_run(arguments: argparse.Namespace) -> tuple[DatasetSpec, str, dict[str, Any]]:
    """Read data set, store and options of a recorded run."""
    from flows.spec import make_spec, read_spec
    from tasks.runs import RUN

    record, name = _read_record(arguments), arguments.recorded
    store = arguments.store or record["store"]
    if record.get("complete"):
        return make_spec(record["spec"], RUN), store, record["options"]
    if not _is_dataset_file(name):
        raise InputError(
            f"{name}: secrets of its addresses are not on record",
            remedy="start the run's first command again" if record["options"].get("pipeline") else "give the data set file",
        )
    return read_spec(name), store, record["options"]


def _readable_size(number: float) -> str:
    power = 0
    while number >= 1024 and power < 4:
        number, power = number / 1024, power + 1
    return f"{number:,.{1 if power else 0}f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
