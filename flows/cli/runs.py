"""The commands about whole runs: start one, see what became of it, go on with it, clear up after it, list the results."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import InputError
from flows.cli.common import add_dry_run_flag, add_runtime_flags
from flows.spec import DatasetSpec, make_spec, read_spec
from tasks.storage import default_store

__all__ = ["clean", "index", "looked_at", "resume", "run", "say_plan", "say_result", "status", "store_of"]


def run(given: argparse.Namespace) -> None:
    """``chrombpnet run``."""
    if given.schema:
        return print(json.dumps(DatasetSpec.model_json_schema(), indent=1))
    if not given.dataset:
        raise InputError("no data set given", expected="a YAML file", remedy="see docs/dataset.md for an example")
    spec = read_spec(given.dataset)
    if given.device:
        spec = spec.model_copy(update={"training": spec.training.model_copy(update={"device": given.device})})
    if given.folds_at_once is not None:
        if given.folds_at_once < 1:
            raise InputError(f"--folds-at-once {given.folds_at_once}", expected="1 or more")
        spec = spec.model_copy(update={"folds_at_once": given.folds_at_once})
    return _start(spec, store_of(given), given)


def resume(given: argparse.Namespace) -> None:
    """``chrombpnet resume``: as :func:`run`, with what is recorded of a run."""
    spec, store, options = _recorded(given)
    if given.device:
        spec = spec.model_copy(update={"training": spec.training.model_copy(update={"device": given.device})})
    again = argparse.Namespace(
        backend=given.backend or options.get("backend"),
        device=given.device,
        dry_run=given.dry_run,
        fold=None,
        bias_only=False,
        fold_deployment=options.get("fold_deployment"),
    )
    return _start(spec, store, again)


def _start(spec: DatasetSpec, store: str, given: argparse.Namespace) -> None:
    from chrombpnet_core.devices import configure

    if given.backend or spec.training.device != "auto":
        configure(given.backend, spec.training.device)
    if given.dry_run:
        return say_plan(spec, store, ["main"] if spec.bias.model else ["bias", "main"])
    looked_at(spec, store)
    from flows.dataset.fan_out import end_with_parent
    from flows.dataset.flows import dataset, fold

    end_with_parent()
    if given.fold is not None or given.bias_only:
        return say_result(fold(spec, store, given.fold or 0, given.bias_only), "table" if given.bias_only else "report")
    for report in dataset(spec, store, given.fold_deployment):
        say_result(report)


def status(given: argparse.Namespace) -> None:
    """``chrombpnet status``: part by part and step by step."""
    from flows.dataset.step_names import step_names
    from tasks.runs import status_lines

    spec, store, _ = _recorded(given)
    print(f"{spec.id}: results in {spec.output}, steps in {store}")
    print("\n".join(status_lines(store, spec.output, step_names(spec))))


def clean(given: argparse.Namespace) -> None:
    """``chrombpnet clean``: what a run left in the store; deleted only where told so."""
    from tasks.runs import find_removable, remove

    spec, store, _ = _recorded(given)
    items = find_removable(store, spec.output, given.all)
    for item in items:
        print(f"{_size(item.size):>10}  {item.what}  {item.shown}")
    total = _size(sum(item.size for item in items))
    if not items:
        print("nothing to delete" if given.all else "nothing to delete; --all takes the outputs of the run's steps too")
    elif given.yes:
        remove(items)
        print(f"{total} freed; the results in {spec.output} are as they were")
    else:
        print(f"{total} would be freed: the same command with --yes deletes these")


def index(given: argparse.Namespace) -> None:
    """``chrombpnet index``: a page over the data sets below an address."""
    from tasks.reports import make_index

    say_result(make_index(given.root), "index")


def _size(number: float) -> str:
    power = 0
    while number >= 1024 and power < 4:
        number, power = number / 1024, power + 1
    return f"{number:,.{1 if power else 0}f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


def _recorded(given: argparse.Namespace) -> tuple[DatasetSpec, str, dict[str, Any]]:
    """Data set, store and options of a run that is named by its data set file, its output, or its record."""
    from tasks.runs import RUN, read_run

    path = Path(given.run)
    by_file = path.suffix in (".yaml", ".yml", ".json") and path.name != RUN
    record = read_run(read_spec(given.run).output if by_file else given.run)
    if not record.get("complete"):
        if not by_file:
            raise InputError(f"{given.run}: secrets of its addresses are not on record", remedy="give the data set file")
        return read_spec(given.run), given.store or record["store"], record["options"]
    return make_spec(record["spec"], RUN), given.store or record["store"], record["options"]


def looked_at(spec: DatasetSpec, store: str) -> DatasetSpec:
    """The same data set, its inputs checked: mistakes are told before any server or backend starts."""
    from flows.dataset.flows import with_folds
    from flows.dataset.fold_steps import inputs_of
    from tasks.steps.check_inputs import check_inputs

    check_inputs.fn(*inputs_of(with_folds(spec), store))
    return spec


def say_plan(spec: DatasetSpec, store: str, kinds: list[str], judge: bool = True) -> None:
    """Answer ``--dry-run``."""
    from flows.dataset.flows import plan

    steps, needed, refusal = plan(spec, store, kinds, judge)
    for step, found in steps:
        print(f"{step:<16} {'in the store' if found else 'would run'}")
    print(f"{'report':<16} would be written to {spec.output}" if judge else f"files would go to {spec.output}")
    print(f"needs at most: {needed}")
    if refusal:
        print(f"would be refused here: {refusal}")


def store_of(given: argparse.Namespace) -> str:
    """The store that is asked for, or the usual one."""
    return given.store or default_store()


def say_result(result: str, what: str = "report") -> None:
    """Say where something is."""
    print(f"{what}: {result}")
    sys.stdout.flush()


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", nargs="?", metavar="DATASET.YAML", help="a DatasetSpec as YAML or JSON")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a DatasetSpec and exit")
    parser.add_argument("--fold", type=int, metavar="I", help="this fold alone, from 0")
    parser.add_argument("--bias-only", action="store_true", help="choose among several bias threshold factors, no more")
    parser.add_argument("--folds-at-once", type=int, metavar="N", help="in place of the data set's folds_at_once")
    parser.add_argument(
        "--fold-deployment",
        metavar="NAME",
        help="every fold as a run of this Prefect deployment of the flow 'fold', such as fold/gpu",
    )
    add_dry_run_flag(parser)
    add_runtime_flags(parser)


def add_run_source_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the output folder of a run, or its data set file")


def add_resume(parser: argparse.ArgumentParser) -> None:
    add_run_source_flags(parser)
    add_dry_run_flag(parser)
    add_runtime_flags(parser)


def add_status(parser: argparse.ArgumentParser) -> None:
    add_run_source_flags(parser)
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs (default: as recorded)")


def add_clean(parser: argparse.ArgumentParser) -> None:
    add_status(parser)
    parser.add_argument("--all", action="store_true", help="outputs of the run's steps too, where no other run uses them")
    parser.add_argument("--yes", action="store_true", help="delete")


def add_index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", metavar="FOLDER", help="folder or address below which results or bundles of data sets lie")


def add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output-dir", default="demo_output", metavar="FOLDER")
    parser.add_argument("-d", "--data-type", default="ATAC", choices=["ATAC", "DNASE"])
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N")
    add_runtime_flags(parser)
