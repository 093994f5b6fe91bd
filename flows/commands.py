"""What each command does: turn its arguments into a DatasetSpec, run the flow, say where the results are."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from chrombpnet_core.errors import InputError
from flows.spec import Background, DatasetSpec, Training, make_part, make_spec, read_spec
from tasks.store import default_store

__all__ = ["bias_pipeline", "demo", "doctor", "pipeline", "prep_nonpeaks", "prep_splits", "run"]


def bias_pipeline(given: argparse.Namespace) -> None:
    """``chrombpnet bias pipeline``."""
    from flows.pipelines import bias_pipeline as flow

    bias = _size(given) | {"threshold_factor": given.bias_threshold_factor}
    _say_report(flow(_looked_at(_spec(given, {"bias": bias}), given), _store(given), given.file_prefix))


def pipeline(given: argparse.Namespace) -> None:
    """``chrombpnet pipeline``."""
    from flows.pipelines import main_pipeline as flow

    model = _size(given) | {"jitter": given.max_jitter, "negative_sampling_ratio": given.negative_sampling_ratio,
                            "architecture": given.architecture_from_file}
    spec = _spec(given, {"bias": {"model": given.bias_model_path}, "model": model})
    _say_report(flow(_looked_at(spec, given), _store(given), given.file_prefix))


def run(given: argparse.Namespace) -> None:
    """``chrombpnet run``."""
    if given.schema:
        print(json.dumps(DatasetSpec.model_json_schema(), indent=1))
        return
    if not given.dataset:
        raise InputError("no data set given", expected="a YAML file", remedy="see docs/dataset.md for an example")
    spec = read_spec(given.dataset)
    if given.device:
        spec = spec.model_copy(update={"training": spec.training.model_copy(update={"device": given.device})})
    elif spec.training.device != "auto":
        from chrombpnet_core.devices import configure

        configure(device=spec.training.device)
    from flows.pipelines import dataset

    for report in dataset(_looked_at(spec, given), _store(given)):
        _say_report(report)


def demo(given: argparse.Namespace) -> int:
    """``chrombpnet demo``: simulate, run the whole job, hold the models against the planted truth."""
    from chrombpnet_core.simulate import Settings, simulate

    output = Path(given.output_dir).resolve()
    sharpness = 2.5 if given.data_type == "DNASE" else Settings.sharpness  # matrices of DNase I tell its preference weakly
    settings = Settings(assay=given.data_type, seed=given.seed, sharpness=sharpness)
    simulation = simulate(output / "inputs", settings, bgzip=True)
    inputs = {"genome": simulation.genome, "chrom_sizes": simulation.sizes, "peaks": simulation.peaks,
              "truth": simulation.truth}
    spec = make_spec({"id": "demo", "assay": given.data_type, "reads": {"fragments": [str(simulation.fragments)]},
                      "folds": [str(simulation.fold)], "output": str(output),
                      **{name: str(path) for name, path in inputs.items()},
                      **_DEMO, "training": _DEMO["training"] | {"seed": given.seed}}, "demo")
    from flows.pipelines import dataset

    report, = dataset(spec, _store(given))
    checks = json.loads((output / "fold_0" / "main" / "evaluation" / "truth_checks.json").read_text())
    for check in checks:
        sign = ">=" if check["at_least"] else "<"
        print(f"{'pass' if check['passed'] else 'FAIL'}  {check['name']}: {check['value']:.4f} "
              f"(wanted {sign} {check['bound']:g})")
    failed = sum(not check["passed"] for check in checks)
    print(f"{len(checks) - failed} of {len(checks)} checks against the planted truth passed")
    _say_report(report)
    return 1 if failed else 0


_DEMO: dict[str, Any] = {
    "input_length": 1018, "output_length": 800,
    "bias": {"threshold_factor": 0.9, "filters": 16, "layers": 4, "epochs": 6},
    "model": {"filters": 16, "layers": 5, "epochs": 40, "jitter": 100, "negative_sampling_ratio": 0.5},
    "training": {"learning_rate": 0.002, "batch_size": 8, "patience": 10, "device": "cpu"},
}
"""Small models that two cores train in two minutes."""


def prep_nonpeaks(given: argparse.Namespace) -> None:
    """``chrombpnet prep nonpeaks``: one step, without any server."""
    from tasks.data import draw_nonpeaks
    from tasks.inputs import check_inputs
    from tasks.publishing import place_files

    make_part(Background, {"stride": given.stride, "ratio": given.neg_to_pos_ratio_train}, "arguments", _FLAGS)
    make_part(Training, {"seed": given.seed}, "arguments", _FLAGS)
    checked = check_inputs.fn([], given.genome, given.chrom_sizes, given.peaks, None, given.blacklist_regions,
                              [given.chr_fold_path], None, None, given.inputlen,
                              {"nonpeaks": str(Path(given.output_prefix).parent), "store": _store(given)})
    result = draw_nonpeaks.fn(_store(given), given.genome, given.chrom_sizes, given.peaks, given.blacklist_regions,
                              checked.folds[0], given.inputlen, given.stride, given.neg_to_pos_ratio_train, given.seed)
    prefix = Path(given.output_prefix)
    files = {f"{prefix.name}_negatives.bed": result.file("negatives.bed")}
    files |= {f"{prefix.name}_{name}": result.file(name) for name in result.manifest["files"]
              if name.startswith("auxiliary/")}
    place_files(files, {}, str(prefix.parent))
    print(f"{result.facts['made']:,} nonpeaks: {prefix}_negatives.bed")


def prep_splits(given: argparse.Namespace) -> None:
    """``chrombpnet prep splits``: all chromosomes but those of test and valid train."""
    from chrombpnet_core.folds import make_fold
    from chrombpnet_core.genome import read_chrom_sizes

    sizes = read_chrom_sizes(given.chrom_sizes)
    held = {*given.test_chroms, *given.valid_chroms}
    fold = make_fold({"test": given.test_chroms, "valid": given.valid_chroms,
                      "train": [chrom for chrom in sizes if chrom not in held]}, sizes, "prep splits")
    path = Path(f"{given.output_prefix}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    fold.write(path)
    print(f"{len(fold.train)} chromosomes train, {len(fold.valid)} validate, {len(fold.test)} test: {path}")


def doctor(given: argparse.Namespace) -> int:
    """``chrombpnet doctor``: one line each; 1 where something that a run needs is missing."""
    from tasks.doctor import examine

    findings = examine(_store(given))
    for ok, name, words in findings:
        print(f"{'ok  ' if ok else 'FAIL'}  {name:<10} {words}")
    return 0 if all(ok for ok, _, _ in findings) else 1


def _looked_at(spec: DatasetSpec, given: argparse.Namespace) -> DatasetSpec:
    """The same data set, its inputs checked: mistakes are told before any server or backend starts."""
    from flows.pipelines import inputs_of
    from tasks.inputs import check_inputs

    check_inputs.fn(*inputs_of(spec, _store(given)))
    return spec


def _store(given: argparse.Namespace) -> str:
    return given.store or default_store()


def _size(given: argparse.Namespace) -> dict[str, Any]:
    return {"filters": given.filters, "layers": given.n_dilation_layers, "epochs": given.epochs}


def _spec(given: argparse.Namespace, models: dict[str, Any]) -> DatasetSpec:
    """The DatasetSpec of a pipeline's arguments."""
    reads = {"bam": given.input_bam_file or [], "fragments": given.input_fragment_file or [],
             "tagalign": given.input_tagalign_file or [], "plus_shift": given.plus_shift,
             "minus_shift": given.minus_shift, "num_samples": given.num_samples,
             "reference_matrices": given.ATAC_ref_path if given.data_type == "ATAC" else given.DNASE_ref_path}
    training = {"patience": given.early_stop, "learning_rate": given.learning_rate, "batch_size": given.batch_size,
                "outlier_threshold": given.outlier_threshold, "seed": given.seed, "device": given.device or "auto"}
    name = re.sub(r"[^A-Za-z0-9._-]", "-", Path(given.output_dir).name)
    return make_spec({
        "id": name.lstrip("._-") or "dataset", "assay": given.data_type, "reads": reads, "genome": given.genome,
        "chrom_sizes": given.chrom_sizes, "peaks": given.peaks, "nonpeaks": given.nonpeaks,
        "folds": [given.chr_fold_path], "input_length": given.inputlen, "output_length": given.outputlen,
        "training": training, "output": given.output_dir, **models}, "arguments", _FLAGS)


_FLAGS = {"epochs": "-e/--epochs", "filters": "-fil/--filters", "layers": "-dil/--n-dilation-layers",
          "jitter": "-j/--max-jitter", "negative_sampling_ratio": "-sr/--negative-sampling-ratio",
          "threshold_factor": "-b/--bias-threshold-factor", "patience": "-es/--early-stop",
          "learning_rate": "-l/--learning-rate", "batch_size": "-bs/--batch-size", "seed": "-s/--seed",
          "stride": "-st/--stride", "ratio": "-npr/--neg-to-pos-ratio-train",
          "outlier_threshold": "-oth/--outlier-threshold", "num_samples": "--num-samples",
          "input_length": "-il/--inputlen", "output_length": "-ol/--outputlen", "reads": "-ps/--plus-shift"}
"""Key of a DatasetSpec → the flag that sets it, for messages."""


def _say_report(report: str) -> None:
    print(f"report: {report}")
    sys.stdout.flush()
