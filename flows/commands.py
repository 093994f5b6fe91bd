"""What each command does: turn its arguments into a DatasetSpec, run the flow, say where the results are."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chrombpnet_core.errors import InputError
from flows.deploy_commands import bridge, deploy
from flows.encode_commands import encode_list, encode_run
from flows.run_commands import clean, index, looked_at, resume, run, say_plan, say_result, status, store_of
from flows.spec import Background, DatasetSpec, Training, make_part, make_spec
from flows.variant_commands import snp_score, variants
from tasks.store import split_prefix

if TYPE_CHECKING:
    from chrombpnet_core.folds import Fold

__all__ = ["bias_pipeline", "bias_qc", "bias_train", "bridge", "check", "clean", "contribs_bw", "demo", "deploy", "doctor",
           "encode_list", "encode_run", "footprints", "index", "modisco_motifs", "motif_hits", "pipeline", "pred_bw",
           "prep_folds", "prep_nonpeaks", "prep_splits", "qc", "resume", "run", "snp_score", "status", "train", "variants"]


def bias_pipeline(given: argparse.Namespace, judge: bool = True) -> None:
    """``chrombpnet bias pipeline``."""
    bias = _size(given) | {"threshold_factor": given.bias_threshold_factor}
    spec = _spec(given, {"bias": bias})
    if given.dry_run:
        return say_plan(spec, store_of(given), ["bias"], judge)
    from flows.pipelines import bias_pipeline as flow

    result = flow(looked_at(spec, store_of(given)), store_of(given), given.file_prefix, judge)
    return say_result(result, "report" if judge else "results")


def bias_train(given: argparse.Namespace) -> None:
    """``chrombpnet bias train``."""
    bias_pipeline(given, judge=False)


def pipeline(given: argparse.Namespace, judge: bool = True) -> None:
    """``chrombpnet pipeline``."""
    model = _size(given) | {"jitter": given.max_jitter, "negative_sampling_ratio": given.negative_sampling_ratio,
                            "architecture": given.architecture_from_file}
    spec = _spec(given, {"bias": {"model": given.bias_model_path}, "model": model})
    if given.dry_run:
        return say_plan(spec, store_of(given), ["main"], judge)
    from flows.pipelines import main_pipeline as flow

    result = flow(looked_at(spec, store_of(given)), store_of(given), given.file_prefix, judge)
    return say_result(result, "report" if judge else "results")


def train(given: argparse.Namespace) -> None:
    """``chrombpnet train``."""
    pipeline(given, judge=False)


def qc(given: argparse.Namespace) -> None:
    """``chrombpnet qc``."""
    _quality_control(given, "main", {"chrombpnet": given.chrombpnet_model,
                                     "chrombpnet_nobias": given.chrombpnet_model_nb})


def bias_qc(given: argparse.Namespace) -> None:
    """``chrombpnet bias qc``."""
    _quality_control(given, "bias", {"bias": given.bias_model})


def _quality_control(given: argparse.Namespace, kind: str, models: dict[str, str | None]) -> None:
    """Input and output length are those of the first model."""
    from chrombpnet_core.devices import find_device

    find_device()
    from chrombpnet_core.model_files import load_model
    from chrombpnet_core.models import lengths_of, require_kind, require_lengths
    from tasks.store import stage

    lengths = None
    for name, file in models.items():
        if file:
            model = require_kind(load_model(stage(file, "model")[0]), name, file)
            lengths = lengths or lengths_of(model)
            require_lengths(model, lengths, file)
    spec = make_spec(_described(given) | {
        "reads": {"bigwig": [given.bigwig]}, "input_length": lengths[0], "output_length": lengths[1],
        "training": {"batch_size": given.batch_size, "seed": given.seed, "device": given.device or "auto"}},
        "arguments", _FLAGS)
    from flows.pipelines import quality_control

    say_result(quality_control(looked_at(spec, store_of(given)), store_of(given), kind, models, given.file_prefix))


def pred_bw(given: argparse.Namespace) -> None:
    """``chrombpnet pred_bw``: one step, without any server."""
    from tasks.inputs import naming_of
    from tasks.publishing import place_files
    from tasks.store import require_place
    from tasks.tracks import predict_tracks, track_files

    for prefix in filter(None, (given.output_prefix, given.output_prefix_stats)):
        require_place(split_prefix(prefix)[0], "tracks")
    models = {"bias": given.bias_model, "chrombpnet": given.chrombpnet_model,
              "chrombpnet_nobias": given.chrombpnet_model_nb}
    training = make_part(Training, {"batch_size": given.batch_size, "seed": given.seed}, "arguments", _FLAGS)
    result = predict_tracks.fn(store_of(given), models, given.regions, given.genome, given.chrom_sizes, given.bigwig,
                               training.batch_size, given.debug_chr, training.seed, naming_of(_chromosomes(given)).to_json())
    for folder, files in track_files(result, given.output_prefix, given.output_prefix_stats).items():
        for address in place_files(files, {}, folder):
            print(address)


def contribs_bw(given: argparse.Namespace) -> None:
    """``chrombpnet contribs_bw``: one step, without any server."""
    from tasks.contributions import contribution_files, explain_regions
    from tasks.inputs import naming_of
    from tasks.publishing import place_files
    from tasks.store import require_place

    for prefix in filter(None, (given.output_prefix, given.output_prefix_stats)):
        require_place(split_prefix(prefix)[0], "contributions")
    training = make_part(Training, {"seed": given.seed}, "arguments", _FLAGS)
    result = explain_regions.fn(store_of(given), given.model_h5, given.regions, given.genome, given.chrom_sizes,
                                given.profile_or_counts, given.debug_chr, training.seed,
                                naming_of(_chromosomes(given)).to_json(), given.float32, precision=given.precision)
    for folder, files in contribution_files(result, given.output_prefix, given.output_prefix_stats).items():
        for address in place_files(files, {}, folder):
            print(address)


def footprints(given: argparse.Namespace) -> None:
    """``chrombpnet footprints``: one step, without any server."""
    from tasks.footprints import draw_footprints, footprint_files
    from tasks.inputs import naming_of
    from tasks.publishing import place_files
    from tasks.store import require_place

    folder, name = split_prefix(given.output_prefix)
    require_place(folder, "footprints")
    training = make_part(Training, {"batch_size": given.batch_size}, "arguments", _FLAGS)
    result = draw_footprints.fn(store_of(given), given.model_h5, given.regions, given.genome, given.chr_fold_path,
                                given.motifs_to_pwm, training.batch_size, given.ylim,
                                naming_of(_chromosomes(given)).to_json())
    for address in place_files(footprint_files(result, name), {}, folder):
        print(address)


def modisco_motifs(given: argparse.Namespace) -> None:
    """``chrombpnet modisco_motifs``: one step, without any server."""
    from tasks.motifs import find_motifs, motif_files
    from tasks.publishing import place_files
    from tasks.store import require_place

    folder, name = split_prefix(given.output_prefix)
    require_place(folder, "motifs")
    kind = "counts" if "counts" in Path(given.h5py).name else "profile"
    result = find_motifs.fn(store_of(given), given.h5py, kind, given.max_seqlets, given.window, given.n_leiden, given.motifs,
                            given.seed, given.verbose)
    for address in place_files(motif_files(result, name), {}, folder):
        print(address)


def motif_hits(given: argparse.Namespace) -> None:
    """``chrombpnet motif_hits``: one step, without any server."""
    from tasks.motifs import find_hits, hit_files
    from tasks.publishing import place_files
    from tasks.store import require_place

    folder, name = split_prefix(given.output_prefix)
    require_place(folder, "hits")
    result = find_hits.fn(store_of(given), given.h5py, given.regions, given.modisco)
    for address in place_files(hit_files(result, name), {}, folder):
        print(address)


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

    report, *_ = dataset(spec, store_of(given))
    checks = json.loads((output / "fold_0" / "main" / "evaluation" / "truth_checks.json").read_text())
    for check in checks:
        sign = ">=" if check["at_least"] else "<"
        print(f"{'pass' if check['passed'] else 'FAIL'}  {check['name']}: {check['value']:.4f} "
              f"(wanted {sign} {check['bound']:g})")
    failed = sum(not check["passed"] for check in checks)
    print(f"{len(checks) - failed} of {len(checks)} checks against the planted truth passed")
    say_result(report)
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

    folder, name = split_prefix(given.output_prefix)
    make_part(Background, {"stride": given.stride, "ratio": given.neg_to_pos_ratio_train}, "arguments", _FLAGS)
    make_part(Training, {"seed": given.seed}, "arguments", _FLAGS)
    if given.exclude_blacklisted_peaks and not given.blacklist_regions:
        raise InputError("--exclude-blacklisted-peaks without a blacklist", remedy="give -br/--blacklist-regions")
    checked = check_inputs.fn([], given.genome, given.chrom_sizes, given.peaks, None, given.blacklist_regions,
                              [given.chr_fold_path], None, None, given.inputlen,
                              {"nonpeaks": folder, "store": store_of(given)}, _chromosomes(given))
    result = draw_nonpeaks.fn(store_of(given), given.genome, given.chrom_sizes, given.peaks, given.blacklist_regions,
                              checked.folds[0], given.inputlen, given.stride, given.neg_to_pos_ratio_train, given.seed,
                              given.exclude_blacklisted_peaks, checked.naming)
    files = {f"{name}_negatives.bed": result.file("negatives.bed")}
    files |= {f"{name}_{file}": result.file(file) for file in result.manifest["files"] if file.startswith("auxiliary/")}
    place_files(files, {}, folder)
    print(f"{result.facts['made']:,} nonpeaks: {given.output_prefix}_negatives.bed")


def prep_splits(given: argparse.Namespace) -> None:
    """``chrombpnet prep splits``: all chromosomes but those of test and valid train."""
    from chrombpnet_core.folds import make_fold
    from chrombpnet_core.genome import read_chrom_sizes
    from tasks.store import stage

    sizes = read_chrom_sizes(stage(given.chrom_sizes, "chromosome sizes")[0])
    held = {*given.test_chroms, *given.valid_chroms}
    fold = make_fold({"test": given.test_chroms, "valid": given.valid_chroms,
                      "train": [chrom for chrom in sizes if chrom not in held]}, sizes, "prep splits")
    _place_folds({f"{split_prefix(given.output_prefix)[1]}.json": fold}, given.output_prefix)


def prep_folds(given: argparse.Namespace) -> None:
    """``chrombpnet prep folds``: ours; the reference leaves the choice of chromosomes to its users."""
    from chrombpnet_core.folds import make_folds
    from chrombpnet_core.genome import read_chrom_sizes
    from chrombpnet_core.regions import read_regions
    from tasks.store import stage

    sizes = read_chrom_sizes(stage(given.chrom_sizes, "chromosome sizes")[0])
    peaks = read_regions(stage(given.peaks, "peaks")[0], "peaks", sizes)["chrom"].value_counts().to_dict() \
        if given.peaks else None
    folds = make_folds(sizes, peaks, given.k, given.seed)
    name = split_prefix(given.output_prefix)[1]
    _place_folds({f"{name}_{i}.json": fold for i, fold in enumerate(folds)}, given.output_prefix)


def _place_folds(folds: dict[str, Fold], prefix: str) -> None:
    from tasks.publishing import place_files

    texts = {name: fold.to_json() for name, fold in folds.items()}
    for fold, address in zip(folds.values(), place_files({}, texts, split_prefix(prefix)[0]), strict=True):
        print(f"{len(fold.train)} chromosomes train, {len(fold.valid)} validate, {len(fold.test)} test: {address}")


def check(given: argparse.Namespace) -> int:
    """``chrombpnet check``: a table of who lacks which chromosomes; 2 where that stops a run."""
    from tasks.inputs import compare_names

    kinds = {"bam": given.input_bam_file, "fragments": given.input_fragment_file,
             "tagalign": given.input_tagalign_file, "bigwig": given.input_bigwig_file}
    kind, reads = next(((kind, files) for kind, files in kinds.items() if files), ("bam", []))
    lines, fine = compare_names(given.genome, given.chrom_sizes, kind, reads, given.peaks, given.nonpeaks,
                                given.blacklist_regions, given.chr_fold_path, _chromosomes(given))
    print("\n".join(lines))
    return 0 if fine else 2


def doctor(given: argparse.Namespace) -> int:
    """``chrombpnet doctor``: one line each; 1 where something that a run needs is missing."""
    from tasks.doctor import examine

    findings = examine(store_of(given))
    for ok, name, words in findings:
        print(f"{'ok  ' if ok else 'FAIL'}  {name:<10} {words}")
    return 0 if all(ok for ok, _, _ in findings) else 1


def _size(given: argparse.Namespace) -> dict[str, Any]:
    return {"filters": given.filters, "layers": given.n_dilation_layers, "epochs": given.epochs}


def _spec(given: argparse.Namespace, models: dict[str, Any]) -> DatasetSpec:
    """The DatasetSpec of a pipeline's arguments."""
    reads = {"bam": given.input_bam_file or [], "fragments": given.input_fragment_file or [],
             "tagalign": given.input_tagalign_file or [], "bigwig": given.input_bigwig_file or [],
             "min_mapq": given.min_mapq, "exclude_flags": given.exclude_flags, "dedup": given.dedup,
             "use_counts": given.use_counts,
             "plus_shift": given.plus_shift, "minus_shift": given.minus_shift, "num_samples": given.num_samples,
             "reference_matrices": given.ATAC_ref_path if given.data_type == "ATAC" else given.DNASE_ref_path}
    training = {"patience": given.early_stop, "learning_rate": given.learning_rate, "batch_size": given.batch_size,
                "outlier_threshold": given.outlier_threshold, "seed": given.seed, "device": given.device or "auto",
                "precision": given.precision, "xla": given.xla, "gpus": given.gpus}
    return make_spec(_described(given) | {
        "reads": reads, "blacklist": given.blacklist_regions,
        "exclude_blacklisted_peaks": given.exclude_blacklisted_peaks, "input_length": given.inputlen,
        "output_length": given.outputlen, "training": training, **models}, "arguments", _FLAGS)


def _described(given: argparse.Namespace) -> dict[str, Any]:
    """What training and quality control tell alike of a data set."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", Path(given.output_dir).name)
    return {"id": name.lstrip("._-") or "dataset", "assay": given.data_type, "genome": given.genome,
            "chrom_sizes": given.chrom_sizes, "peaks": given.peaks, "nonpeaks": given.nonpeaks,
            "folds": [given.chr_fold_path], "output": given.output_dir, "chromosomes": _chromosomes(given),
            "explanation": {"peaks": given.explain, "counts": given.explain_counts, "motifs": given.motifs},
            "assembly": given.assembly}


def _chromosomes(given: argparse.Namespace) -> dict[str, Any]:
    return {"alias": given.alias, "exclude": given.exclude_chroms}


_FLAGS = {"epochs": "-e/--epochs", "filters": "-fil/--filters", "layers": "-dil/--n-dilation-layers",
          "jitter": "-j/--max-jitter", "negative_sampling_ratio": "-sr/--negative-sampling-ratio",
          "threshold_factor": "-b/--bias-threshold-factor", "patience": "-es/--early-stop",
          "learning_rate": "-l/--learning-rate", "batch_size": "-bs/--batch-size", "seed": "-s/--seed",
          "stride": "-st/--stride", "ratio": "-npr/--neg-to-pos-ratio-train",
          "outlier_threshold": "-oth/--outlier-threshold", "num_samples": "--num-samples",
          "input_length": "-il/--inputlen", "output_length": "-ol/--outputlen", "reads": "-ps/--plus-shift",
          "min_mapq": "--min-mapq", "gpus": "--gpus", "exclude_flags": "--exclude-flags",
          "explanation.peaks": "--explain"}
"""Key of a DatasetSpec → the flag that sets it, for messages."""

