"""The command line: the reference's commands and flags, answers at once, one clear line for each mistake."""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import time

import pysam
import pytest

from chrombpnet_core.simulation import TINY, simulate
from flows.cli.main import build_parser, main

HEAVY = {"prefect", "keras", "tensorflow", "jax", "numpy", "pandas", "pydantic", "yaml", "fsspec", "tasks", "flows.spec"}


def _commands(parser=None, words=()):
    """Every command as its words, and its parser."""
    parser = parser or build_parser()
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        return {words: parser}
    return {
        key: found
        for group in groups
        for name, child in group.choices.items()
        for key, found in _commands(child, (*words, name)).items()
    }


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_every_command_helps(command, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([*command, "--help"])
    assert ended.value.code == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("command", _commands(), ids=" ".join)
def test_every_flag_is_explained(command):
    parser = _commands()[command]
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["pipeline", "--help"], ["pipeline", "-g", "x"], ["nonsense"]])
def test_an_answer_without_work_imports_nothing_heavy(words):
    program = (
        f"import sys\nfrom flows.cli.main import main\ntry:\n    main({words})\nexcept SystemExit:\n    pass\n"
        f"print('heavy:', sorted({HEAVY} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "heavy: []" in run.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["demo", "-o", "{folder}/out", "-s=-7"],
        ["demo", "-o", "{folder}/out", f"-s={2**40}"],
        ["prep", "folds", "-c", "{folder}/sizes", "-op", "{folder}/x", "-s=-1"],
        ["modisco_motifs", "-i", "{folder}/sizes", "-n", "9", "-op", "{folder}/x", "-s=-1"],
    ],
    ids=" ".join,
)
def test_a_seed_that_no_generator_takes_is_refused(words, tmp_path, capsys):
    (tmp_path / "sizes").write_text("chr1\t5000\nchr2\t5000\nchr3\t5000\n")
    assert main([word.format(folder=tmp_path) for word in words]) == 2
    assert "-s/--seed" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["sizes"]


@pytest.mark.parametrize("flag", ["-n", "-w", "-s"])
def test_a_number_of_more_than_64_bits_is_refused(flag, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["modisco_motifs", "-i", "x", "-n", "1", "-op", "y", f"{flag}={2**70}"])
    assert ended.value.code == 2
    assert f"argument {flag}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["prep", "folds", "-c", "{folder}/sizes", "-op", "{folder}/sizes/deep/x", "-k", "3"],
        ["prep", "splits", "-c", "{folder}/sizes", "-tcr", "chr1", "-vcr", "chr2", "-op", "{folder}/sizes/x"],
        ["prep", "splits", "-c", "{folder}/sizes", "-tcr", "chr1", "-vcr", "chr2", "-op", "/proc/nowhere/x"],
    ],
    ids=" ".join,
)
def test_a_place_that_takes_no_folds_is_the_users_error(words, tmp_path, capsys):
    (tmp_path / "sizes").write_text("chr1\t5000\nchr2\t5000\nchr3\t5000\n")
    assert main([word.format(folder=tmp_path) for word in words]) == 2
    assert "expected a folder for the folds" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["verify"], ["encode", "list"], ["index"], ["status"], ["clean"], ["resume"]], ids=" ".join
)
def test_a_link_to_itself_is_one_line(command, tmp_path, capsys):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert main([*command, str(tmp_path / "loop")]) == 2
    assert "loop" in capsys.readouterr().err


def test_wrong_arguments_end_with_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["pipeline", "-g", "x"])
    assert ended.value.code == 2
    assert "required" in capsys.readouterr().err


def test_defaults_are_the_references():
    inputs = ["-g", "g", "-c", "c", "-ibam", "a", "b", "-o", "o", "-d", "ATAC", "-p", "p", "-n", "n", "-fl", "f"]
    main_run = build_parser().parse_args(["pipeline", *inputs, "-b", "m.h5"])
    bias_run = build_parser().parse_args(["bias", "pipeline", *inputs, "-b", "0.5"])
    assert main_run.input_bam_file == ["a", "b"]
    assert (main_run.filters, main_run.n_dilation_layers, main_run.max_jitter) == (512, 8, 500)
    assert (bias_run.filters, bias_run.n_dilation_layers, bias_run.bias_threshold_factor) == (128, 4, 0.5)
    for run in (main_run, bias_run):
        assert (run.inputlen, run.outputlen, run.seed, run.epochs, run.early_stop) == (2114, 1000, 1234, 50, 5)
        assert (run.learning_rate, run.batch_size, run.outlier_threshold, run.num_samples) == (0.001, 64, 0.9999, 10000)
    accepted = build_parser().parse_args(
        [
            "pipeline",
            *inputs,
            "-b",
            "m",
            "-track",
            "loss",
            "val_loss",
            "-hp",
            "./",
            "--bsort",
            "--no-st",
            "--tmpdir",
            "t",
            "-fp",
            "x",
            "-sr",
            "0.2",
            "-a",
            "m.py",
        ]
    )
    assert accepted.file_prefix == "x"


def test_prep_splits_writes_the_references_json(tmp_path, capsys):
    (tmp_path / "sizes").write_text("chr1\t1000\nchr2\t900\nchr3\t800\n")
    arguments = ["prep", "splits", "-c", str(tmp_path / "sizes"), "-op", str(tmp_path / "fold"), "-tcr", "chr1", "-vcr"]
    assert main([*arguments, "chr3"]) == 0
    import json

    assert json.loads((tmp_path / "fold.json").read_text()) == {"test": ["chr1"], "valid": ["chr3"], "train": ["chr2"]}
    assert main([*arguments, "chr9"]) == 2
    assert "chr9" in capsys.readouterr().err
    assert main([*arguments, "chr1"]) == 2


def test_folds_leave_organelles_out_and_say_so(tmp_path, capsys):
    import json

    (tmp_path / "sizes").write_text("chr1\t1000\nchr2\t900\nchr3\t800\nchrM\t90\nPt\t80\n")
    (tmp_path / "peaks").write_text("".join(f"{chrom}\t5\t9\n" for chrom in ("chr1", "chr2", "chr3", "chrM")))
    words = ["prep", "splits", "-c", str(tmp_path / "sizes"), "-op", str(tmp_path / "fold"), "-tcr", "chr1", "-vcr"]

    def written(*more, file="fold.json"):
        assert main([*more]) == 0
        return json.loads((tmp_path / file).read_text()), capsys.readouterr().out

    fold, told = written(*words, "chr3")
    assert fold == {"test": ["chr1"], "valid": ["chr3"], "train": ["chr2"]}
    assert "chrM, Pt: left out of training, validation and testing; --keep-organelles keeps them" in told
    fold, told = written(*words, "chr3", "--keep-organelles")
    assert fold["train"] == ["chr2", "chrM", "Pt"]
    assert "left out" not in told
    fold, told = written(*words, "chrM", "chr3")
    assert (fold["valid"], fold["train"]) == (["chrM", "chr3"], ["chr2"])
    assert "\nPt: left out" in f"\n{told}"
    words = [
        "prep",
        "folds",
        "-c",
        str(tmp_path / "sizes"),
        "-op",
        str(tmp_path / "x"),
        "-k",
        "3",
        "-p",
        str(tmp_path / "peaks"),
    ]
    fold, told = written(*words, file="x_0.json")
    assert sorted(chrom for part in fold.values() for chrom in part) == ["chr1", "chr2", "chr3"]
    assert "chrM, Pt: left out" in told


def test_missing_files_are_all_told_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    (tmp_path / "d.yaml").write_text(
        "assay: ATAC\nreads: {bam: [one.bam, two.bam]}\ngenome: g.fa\nchrom_sizes: c.sizes\npeaks: p.bed\n"
        "blacklist: b.bed\nfolds: 5\nbias: {model: bias.h5}\nexplanation: {motifs: m.meme}\noutput: out\n"
    )
    named = {"one.bam", "two.bam", "g.fa", "c.sizes", "p.bed", "b.bed", "bias.h5", "m.meme"}
    flags = "-g g.fa -c c.sizes -d ATAC -p p.bed -n n.bed -fl f.json -o out"
    cases = {
        "run d.yaml": named,
        "run d.yaml --dry-run": named,
        f"pipeline -ibam one.bam two.bam -b bias.h5 {flags}": {"one.bam", "two.bam", "g.fa", "c.sizes", "p.bed", "n.bed"},
        f"qc -bw i.bw -cm full.h5 {flags}": {"i.bw", "full.h5", "g.fa", "c.sizes", "p.bed", "n.bed", "f.json"},
        "prep folds -c c.sizes -p p.bed -op x": {"c.sizes", "p.bed"},
        "prep nonpeaks -g g.fa -c c.sizes -p p.bed -fl f.json -br b.bed -o x": {
            "g.fa",
            "c.sizes",
            "p.bed",
            "f.json",
            "b.bed",
        },
    }
    for words, expected in cases.items():
        store = [] if "prep folds" in words else ["--store", str(tmp_path / "store")]
        assert main([*words.split(), *store]) == 2, words
        told = capsys.readouterr().err
        assert {name for name in expected if f"{name}: no such file" not in told} == set(), words


def test_the_name_of_the_sample_is_the_reports_title(monkeypatch):
    from flows.cli.evaluate import common_keys
    from flows.dataset import fold_steps
    from flows.dataset.run import Run
    from flows.spec import make_spec

    monkeypatch.setattr(Run, "step", lambda run, step, inputs, *_, **__: inputs)

    monkeypatch.setattr(fold_steps, "report_request", lambda kind, title, *_: (title, None))

    flags = "-g g -c c -d ATAC -p p -n n -fl f -o out/k562"
    words = f"bias pipeline -ibam r.bam -b 0.5 {flags}".split()
    for more, title in (([], "k562"), (["--name", "K562, replicate 1"], "K562, replicate 1")):
        keys = common_keys(build_parser().parse_args([*words, *more])) | {"reads": {"bam": ["r.bam"]}}
        assert fold_steps.report_step(Run(make_spec(keys, "test"), "store"), "bias", {}) == title


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A tiny simulation, its nonpeaks, and a function that makes the arguments of a bias run."""
    folder = tmp_path_factory.mktemp("refusals")
    simulation = simulate(folder / "sim", TINY)
    assert (
        main(
            [
                "prep",
                "nonpeaks",
                "-g",
                str(simulation.genome),
                "-c",
                str(simulation.sizes),
                "-p",
                str(simulation.peaks),
                "-fl",
                str(simulation.fold),
                "-o",
                str(folder / "tiny"),
                "-il",
                "600",
                "-st",
                "300",
            ]
        )
        == 0
    )
    assert (folder / "tiny_negatives.bed").exists()
    assert (folder / "tiny_auxiliary" / "gc_match.png").exists()
    return simulation, folder / "tiny_negatives.bed"


def _arguments(data, tmp_path, **changes):
    simulation, nonpeaks = data
    flags = {
        "-g": simulation.genome,
        "-c": simulation.sizes,
        "-ifrag": simulation.fragments,
        "-o": tmp_path / "out",
        "-d": "ATAC",
        "-p": simulation.peaks,
        "-n": nonpeaks,
        "-fl": simulation.fold,
        "-b": "0.5",
        "-il": "600",
        "-ol": "200",
        "-fil": "4",
        "-dil": "3",
        "-e": "1",
        "--store": tmp_path / "store",
        "--device": "cpu",
    }
    flags |= {f"-{key}": value for key, value in changes.items() if key not in ("ibam", "main")}
    if "ibam" in changes:
        del flags["-ifrag"]
        flags["-ibam"] = changes["ibam"]
    command = ["pipeline"] if changes.get("main") else ["bias", "pipeline"]
    return [*command, *(str(item) for pair in flags.items() for item in pair)]


def _write(path, text):
    path.write_text(text)
    return path


def _first_peaks(data, count=3):
    return data[0].peaks.read_text().splitlines()[:count]


def _missing_file(data, folder):
    return {"p": folder / "absent.bed"}, r"absent\.bed: no such file"


def _two_columns(data, folder):
    return {"p": _write(folder / "p.bed", "chr1\t100\n")}, r"p\.bed, line 1: too few columns; expected 3 to 10 .* columns"


def _no_integer(data, folder):
    lines = _first_peaks(data)
    return {
        "p": _write(folder / "p.bed", "\n".join([*lines, lines[0].replace("\t", "\tx", 1)]))
    }, r"p\.bed, line 4: start is not a position; expected an integer"


def _empty_peaks(data, folder):
    return {"p": _write(folder / "p.bed", "")}, r"p\.bed: empty file"


def _unknown_chromosome(data, folder):
    lines = _first_peaks(data)
    return {
        "p": _write(folder / "p.bed", "\n".join([*lines, "chrUn" + lines[0][4:]]))
    }, r"p\.bed, line 4: chromosome chrUn of the peaks is not in the genome"


def _wrong_sizes(data, folder):
    text = data[0].sizes.read_text().replace("\n", "0\n", 1)
    return {"c": _write(folder / "c.sizes", text)}, "length of chromosome chr1 disagrees with the genome"


def _unknown_in_fold(data, folder):
    return {
        "fl": _write(folder / "f.json", data[0].fold.read_text().replace("chr7", "chr77"))
    }, "chromosome chr77 of '[a-z]*' is not in the chromosome sizes"


def _repeated_in_fold(data, folder):
    return {
        "fl": _write(folder / "f.json", data[0].fold.read_text().replace("chr7", "chr1"))
    }, "chromosome chr1 is in 'train' twice"


def _truncated_gzip(data, folder):
    path = folder / "cut.tsv.gz"
    content = gzip.compress(gzip.decompress(data[0].fragments.read_bytes()))
    path.write_bytes(content[: len(content) // 2])
    return {"ifrag": path}, r"cut\.tsv\.gz.*truncated"


def _bam_without_reads(data, folder):
    with pysam.AlignmentFile(data[0].bam) as source, pysam.AlignmentFile(folder / "empty.bam", "wb", template=source):
        pass
    return {"ibam": folder / "empty.bam"}, r"empty\.bam.*no .*reads"


def _start_after_end(data, folder):
    lines = gzip.decompress(data[0].fragments.read_bytes()).decode().splitlines()[:50]
    return {"ifrag": _write(folder / "f.tsv", "\n".join([*lines, "chr1\t500\t400\tx\t1"]) + "\n")}, r"f\.tsv, line 51"


def _peaks_at_ends(data, folder):
    return {
        "p": _write(folder / "p.bed", "chr1\t0\t100\nchr5\t10\t90\n")
    }, "all 2 peaks are too near a chromosome end for a window of 600 bp"


def _odd_shift(data, folder):
    fragments = [line.split("\t") for line in gzip.decompress(data[0].fragments.read_bytes()).decode().splitlines()]
    moved = "".join(f"{f[0]}\t{int(f[1]) + 2}\t{int(f[2]) - 2}\n" for f in fragments if int(f[2]) - int(f[1]) > 10)
    return {"ifrag": _write(folder / "moved.tsv", moved)}, r"\+2/-2.*-ps"


def _main_model_as_bias(data, folder):
    from chrombpnet_core.models import Architecture, bpnet, save_model

    save_model(bpnet(Architecture(4, 2, 600, 200), "wo_bias_"), folder / "nobias.h5")
    return {"main": True, "b": folder / "nobias.h5"}, r"nobias\.h5: not a bias model"


def _bias_of_another_length(data, folder):
    from chrombpnet_core.models import Architecture, bpnet, save_model

    save_model(bpnet(Architecture(4, 2, 800, 200)), folder / "bias.h5")
    return {"main": True, "b": folder / "bias.h5"}, r"input length of the bias model; expected 600 bp, found 800 bp"


def _sequence_twice(data, folder):
    text = data[0].genome.read_text() + ">chr1\nACGT\n"
    return {"g": _write(folder / "twice.fa", text)}, r"twice\.fa, line [\d,]+: sequence chr1 is there twice"


def _no_fasta(data, folder):
    return {"g": _write(folder / "not.fa", "chr1\t100\n")}, r"not\.fa, line 1: not FASTA"


def _unknown_protocol(data, folder):
    return {"p": "foo://bucket/p.bed"}, "foo://bucket/p.bed: cannot be opened"


def _bias_that_is_text(data, folder):
    return {"main": True, "b": _write(folder / "bias.h5", "not a model")}, r"bias\.h5: the bias model is no HDF5 file"


@pytest.mark.parametrize(
    "mistake",
    [
        _missing_file,
        _two_columns,
        _no_integer,
        _empty_peaks,
        _unknown_chromosome,
        _wrong_sizes,
        _unknown_in_fold,
        _repeated_in_fold,
        _truncated_gzip,
        _bam_without_reads,
        _start_after_end,
        _peaks_at_ends,
        _odd_shift,
        _bias_that_is_text,
        _main_model_as_bias,
        _bias_of_another_length,
        _sequence_twice,
        _no_fasta,
        _unknown_protocol,
    ],
    ids=lambda mistake: mistake.__name__.strip("_"),
)
def test_a_wrong_input_gets_one_clear_line(data, tmp_path, capsys, mistake):
    """Exit code 2, one line that says what and where, and nothing half-written."""
    changes, words = mistake(data, tmp_path)
    capsys.readouterr()
    assert main(_arguments(data, tmp_path, **changes)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("chrombpnet: error: ")]
    assert len(lines) == 1
    import re

    assert re.search(words, lines[0]), lines[0]
    assert not (tmp_path / "out").exists()
    store = tmp_path / "store"
    kept = {"locks", "runs"}  # the record of the run tells why it failed
    assert [path for path in store.rglob("*") if path.is_file() and not kept & set(path.parts)] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"e": 0}, "-e/--epochs: Input should be greater than or equal to 1; found 0"),
        ({"oth": 1.5}, "-oth/--outlier-threshold"),
        ({"b": -1}, "-b/--bias-threshold-factor"),
        ({"ol": 900}, "output_length 900 is greater than input_length 600"),
        ({"dil": 9}, "9 dilated layers turn 600 bp of input into"),
        ({"s": -1}, "-s/--seed"),
        ({"l": "inf"}, "-l/--learning-rate"),
        ({"ps": 4}, "plus_shift and minus_shift together"),
        ({"o": "{folder}/file/out"}, "file is a file; expected a folder for the results"),
        ({"-store": "{folder}/file"}, "file is a file; expected a folder for the store"),
    ],
)
def test_a_wrong_flag_gets_one_clear_line(data, tmp_path, capsys, changes, words):
    (tmp_path / "file").write_text("")
    changes = {key: str(value).format(folder=tmp_path) for key, value in changes.items()}
    assert main(_arguments(data, tmp_path, **changes)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("chrombpnet: error: ")]
    assert len(lines) == 1
    assert words in lines[0]


@pytest.mark.parametrize(("flag", "value"), [("-st", "0"), ("-npr", "-1"), ("-s", "-1")])
def test_prep_nonpeaks_refuses_odd_numbers(data, tmp_path, capsys, flag, value):
    simulation, _ = data
    assert (
        main(
            [
                "prep",
                "nonpeaks",
                "-g",
                str(simulation.genome),
                "-c",
                str(simulation.sizes),
                "-p",
                str(simulation.peaks),
                "-fl",
                str(simulation.fold),
                "-o",
                str(tmp_path / "x"),
                flag,
                value,
            ]
        )
        == 2
    )
    assert f"arguments: {flag}/" in capsys.readouterr().err


def test_a_backend_that_is_absent_is_told(data, tmp_path, capsys, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "tensorflow" else find(name, *rest))
    assert main(_arguments(data, tmp_path)) == 2
    assert "the tensorflow backend is not installed" in capsys.readouterr().err


def test_the_process_itself_ends_with_2_and_no_traceback(data, tmp_path):
    begin = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "flows.cli.main", *_arguments(data, tmp_path, p=tmp_path / "absent.bed")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert "absent.bed: no such file" in run.stderr
    assert time.monotonic() - begin < 60


def test_a_full_size_model_on_a_cpu_is_refused(data, tmp_path, capsys):
    arguments = _arguments(data, tmp_path)
    arguments = [item for item in arguments if item not in ("--device", "cpu")]
    arguments[arguments.index("-fil") + 1] = "512"
    assert main(arguments) == 2
    assert "say --device cpu" in capsys.readouterr().err


def test_doctor_tells_device_and_store(tmp_path, capsys):
    assert main(["doctor", "--store", str(tmp_path / "store")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["python", "packages", "device", "cpu", "store"]
    assert all(line.startswith("ok") for line in lines)
    (tmp_path / "file").write_text("")
    assert main(["doctor", "--store", str(tmp_path / "file" / "store")]) == 1


def test_check_tells_who_lacks_what(data, tmp_path, capsys):
    simulation, nonpeaks = data
    other = tmp_path / "other.bed"
    other.write_text(simulation.peaks.read_text().replace("chr", "") + "Un_1\t5\t50\n")
    arguments = [
        "check",
        "-g",
        simulation.genome,
        "-c",
        simulation.sizes,
        "-ifrag",
        simulation.fragments,
        "-fl",
        simulation.fold,
        "-n",
        nonpeaks,
    ]
    assert main([str(item) for item in [*arguments, "-p", simulation.peaks]]) == 0
    assert "chromosome names: in order" in capsys.readouterr().out
    assert main([str(item) for item in [*arguments, "-p", other]]) == 2
    told = capsys.readouterr().out
    assert "1 (the genome's chr1)" in told
    assert "--alias auto" in told
    assert "a run would stop at: peaks" in told
    other.write_text(simulation.peaks.read_text().replace("chr", ""))
    assert main([str(item) for item in [*arguments, "-p", other, "--alias", "auto"]]) == 0
