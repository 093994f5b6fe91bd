"""The ``chrombpnet`` command line: commands, flags and defaults of the reference program, and ours.

Only argparse is imported here: ``--help`` and wrong arguments answer at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich_argparse import RawDescriptionRichHelpFormatter

from flows.deploy_flags import add_bridge, add_deploy
from flows.encode_flags import add_encode_list, add_encode_run
from flows.variant_flags import add_snp_score, add_variants

__all__ = ["build_parser", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when done, 2 for an error of the user's, 1 for a fault of disk or network or a failed fold."""
    given = build_parser().parse_args(arguments)
    from chrombpnet_core.errors import InputError
    from flows import environment
    from flows.failures import FoldsFailed

    try:
        environment.prepare(getattr(given, "backend", None), getattr(given, "device", None) or "auto",
                            getattr(given, "threads", None))
        environment.show_log()
        environment.end_orphans()
        from flows import commands

        with environment.interruptible():
            return getattr(commands, given.command)(given) or 0
    except InputError as error:
        print(f"chrombpnet: error: {error}", file=sys.stderr)
        return 2
    except FoldsFailed as error:
        for line in str(error).splitlines():
            print(f"chrombpnet: {line}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"chrombpnet: {type(error).__name__}: {error}; the same command goes on where this one stopped",
              file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets ``command``, the name of a function in :mod:`flows.commands`."""
    parser = _parser(argparse.ArgumentParser(
        prog="chrombpnet", formatter_class=RawDescriptionRichHelpFormatter,
        description="Base-resolution, bias-corrected models of chromatin accessibility from ATAC-seq and DNase-seq."))
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _pipeline(_command(commands, "pipeline", "pipeline", "train, evaluate and report a main model"))
    _pipeline(_command(commands, "train", "train", "train a main model"))
    _qc(_command(commands, "qc", "qc", "evaluate and report a main model on given insertions"))
    bias = _command(commands, "bias", None, "the bias model").add_subparsers(metavar="COMMAND", required=True)
    _bias_pipeline(_command(bias, "pipeline", "bias_pipeline", "train, evaluate and report a bias model"))
    _bias_pipeline(_command(bias, "train", "bias_train", "train a bias model"))
    _bias_qc(_command(bias, "qc", "bias_qc", "evaluate and report a bias model on given insertions"))
    prep = _command(commands, "prep", None, "prepare inputs").add_subparsers(metavar="COMMAND", required=True)
    _nonpeaks(_command(prep, "nonpeaks", "prep_nonpeaks", "draw GC-matched background regions"))
    _splits(_command(prep, "splits", "prep_splits", "write a fold of train, valid and test chromosomes"))
    _folds(_command(prep, "folds", "prep_folds", "divide the chromosomes into balanced folds"))
    _pred_bw(_command(commands, "pred_bw", "pred_bw", "predict tracks of given regions as bigWig"))
    _contribs_bw(_command(commands, "contribs_bw", "contribs_bw", "compute what each base adds to counts and profile"))
    _footprints(_command(commands, "footprints", "footprints", "draw what a model predicts around motifs"))
    _modisco_motifs(_command(commands, "modisco_motifs", "modisco_motifs", "find motifs in contributions"))
    _motif_hits(_command(commands, "motif_hits", "motif_hits", "find where motifs contribute, in every region"))
    scored = add_variants(_command(commands, "variants", "variants", "score what variants do to accessibility"))
    _names(scored)
    _place(scored)
    _place(add_snp_score(_command(commands, "snp_score", "snp_score", "score variants, by the reference's flags")))
    _check(_command(commands, "check", "check", "look at all inputs: do they exist, agree, name chromosomes alike?"))
    _run(_command(commands, "run", "run", "do a whole data set described in a YAML file"))
    _status(_command(commands, "status", "status", "tell what of a run is done, running or failed, and why"))
    _resume(_command(commands, "resume", "resume", "go on with a run, as it was asked for"))
    _clean(_command(commands, "clean", "clean", "tell what of a run could be deleted, or delete it"))
    _index(_command(commands, "index", "index", "write a page over all data sets whose results lie below one address"))
    encode = _command(commands, "encode", None, "reprocess ENCODE's experiments").add_subparsers(metavar="COMMAND",
                                                                                                 required=True)
    add_encode_run(_command(encode, "run", "encode_run", "look through the portal and start the data sets that are due"))
    add_encode_list(_command(encode, "list", "encode_list", "tell what became of every experiment"))
    add_deploy(_command(commands, "deploy", "deploy", "put deployments and automations onto a Prefect server"))
    add_bridge(_command(commands, "bridge", "bridge", "make Prefect events of a bucket's notifications"))
    _demo(_command(commands, "demo", "demo", "do the whole job on a simulated genome of known truth"))
    doctor = _command(commands, "doctor", "doctor", "tell what this machine has: versions, devices, store")
    _place(doctor)
    return parser


def _parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, *_: object) -> None:
        from importlib.metadata import version

        print(f"chrombpnet-flows {version('chrombpnet-flows')}")
        parser.exit()


def _command(commands, name: str, function: str | None, words: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.",
                                 formatter_class=RawDescriptionRichHelpFormatter)
    if function:
        parser.set_defaults(command=function)
    return parser


def _pipeline(parser: argparse.ArgumentParser) -> None:
    required = _inputs(parser)
    required.add_argument("-b", "--bias-model-path", required=True, metavar="H5", help="a bias model, bias.h5")
    _training(parser, filters=512, layers=8, jitter=500)
    parser.add_argument("-sr", "--negative-sampling-ratio", type=float, default=0.1, metavar="RATIO",
                        help="nonpeaks per peak in each epoch (default 0.1)")
    parser.add_argument("-a", "--architecture-from-file", metavar="PY",
                        help="Python file that defines build(filters, n_dil_layers, inputlen, outputlen); it is run")


def _bias_pipeline(parser: argparse.ArgumentParser) -> None:
    required = _inputs(parser)
    required.add_argument("-b", "--bias-threshold-factor", required=True, type=float, metavar="FACTOR",
                          help="nonpeaks with fewer reads than quantile(peaks, 0.01) × this train the model; begin with "
                               "0.5 for ATAC, 0.8 for DNASE")
    _training(parser, filters=128, layers=4, jitter=0)


def _qc(parser: argparse.ArgumentParser) -> None:
    group = _judged(parser)
    group.add_argument("-cm", "--chrombpnet-model", required=True, metavar="H5", help="chrombpnet.h5")
    group.add_argument("-cmb", "--chrombpnet-model-nb", metavar="H5",
                       help="chrombpnet_nobias.h5 (default: the one inside chrombpnet.h5)")


def _bias_qc(parser: argparse.ArgumentParser) -> None:
    group = _judged(parser)
    group.add_argument("-bm", "--bias-model", required=True, metavar="H5", help="bias.h5, scaled or not")


def _judged(parser: argparse.ArgumentParser):
    """What both kinds of quality control need; the group of inputs."""
    group = parser.add_argument_group("inputs")
    group.add_argument("-bw", "--bigwig", required=True, metavar="BW", help="observed insertions, *_unstranded.bw")
    _genome(group)
    _regions(group)
    _names(parser)
    parser.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the shuffles")
    _explanation(parser)
    _place(parser)
    _files(parser)
    return group


def _genome(group) -> None:
    group.add_argument("-g", "--genome", required=True, metavar="FASTA", help="plain, gzip or bgzip")
    group.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV", help="names and lengths of chromosomes")


def _regions(group) -> None:
    group.add_argument("-o", "--output-dir", required=True, metavar="FOLDER", help="where the results go")
    group.add_argument("-d", "--data-type", required=True, choices=["ATAC", "DNASE"], help="the assay")
    group.add_argument("-p", "--peaks", required=True, metavar="BED", help="narrowPeak, or BED (middle = summit)")
    group.add_argument("-n", "--nonpeaks", required=True, metavar="BED", help="background, from 'prep nonpeaks'")
    group.add_argument("-fl", "--chr-fold-path", required=True, metavar="JSON", help="fold, from 'prep splits'")


def _inputs(parser: argparse.ArgumentParser):
    """Inputs that both pipelines need; the group of required flags."""
    group = parser.add_argument_group("inputs")
    _genome(group)
    reads = group.add_mutually_exclusive_group(required=True)
    reads.add_argument("-ibam", "--input-bam-file", nargs="+", metavar="BAM", help="filtered reads; no index needed")
    reads.add_argument("-ifrag", "--input-fragment-file", nargs="+", metavar="TSV", help="fragments: chrom, start, end")
    reads.add_argument("-itag", "--input-tagalign-file", nargs="+", metavar="BED", help="tagAlign (BED6)")
    reads.add_argument("-ibw", "--input-bigwig-file", nargs="+", metavar="BW",
                       help="insertions per base, unstranded and shift-corrected, in place of reads")
    _regions(group)
    _names(parser)
    shift = parser.add_argument_group("shift of the reads")
    shift.add_argument("-ps", "--plus-shift", type=int, metavar="BP", help="shift of + reads in the input; else estimated")
    shift.add_argument("-ms", "--minus-shift", type=int, metavar="BP", help="shift of − reads in the input")
    shift.add_argument("--ATAC-ref-path", metavar="TXT", help="Tn5 matrices in place of the built-in ones")
    shift.add_argument("--DNASE-ref-path", metavar="TXT", help="DNase matrices in place of the built-in ones")
    shift.add_argument("--num-samples", type=int, default=10000, metavar="N", help="reads per strand for the estimate")
    filters = parser.add_argument_group("filters of the reads (none by default: every mapped alignment counts)")
    filters.add_argument("--min-mapq", type=int, default=0, metavar="Q", help="least mapping quality (BAM)")
    filters.add_argument("--exclude-flags", type=int, default=0, metavar="FLAGS",
                         help="SAM flags to leave out (BAM), such as 780")
    filters.add_argument("--dedup", action="store_true", help="count duplicates once; for paired-end reads only")
    filters.add_argument("--use-counts", action="store_true", help="count a fragment as often as its column 5 says")
    group.add_argument("-br", "--blacklist-regions", metavar="BED", help="with --exclude-blacklisted-peaks")
    group.add_argument("--exclude-blacklisted-peaks", action="store_true", help="leave out peaks within half the input "
                       "length of the blacklist")
    return group


def _names(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("chromosomes")
    group.add_argument("--alias", metavar="auto|TSV", help="auto: chr1 and 1, chrM and MT are the same; or a table of "
                       "names and the genome's names for them")
    group.add_argument("--exclude-chroms", nargs="+", default=[], metavar="CHROM", help="left out with their reads and "
                       "regions, such as chrM")


def _training(parser: argparse.ArgumentParser, filters: int, layers: int, jitter: int) -> None:
    group = parser.add_argument_group("training")
    group.add_argument("-oth", "--outlier-threshold", type=float, default=0.9999, metavar="Q")
    group.add_argument("-il", "--inputlen", type=int, default=2114, metavar="BP", help="input length (default 2114)")
    group.add_argument("-ol", "--outputlen", type=int, default=1000, metavar="BP", help="output length (default 1000)")
    group.add_argument("-s", "--seed", type=int, default=1234, metavar="N")
    group.add_argument("-e", "--epochs", type=int, default=50, metavar="N", help="at most (default 50)")
    group.add_argument("-es", "--early-stop", type=int, default=5, metavar="N", help="epochs without progress (default 5)")
    group.add_argument("-l", "--learning-rate", type=float, default=0.001, metavar="RATE")
    group.add_argument("-fil", "--filters", type=int, default=filters, metavar="N", help=f"default {filters}")
    group.add_argument("-dil", "--n-dilation-layers", type=int, default=layers, metavar="N", help=f"default {layers}")
    group.add_argument("-j", "--max-jitter", type=int, default=jitter, metavar="BP",
                       help=f"default {jitter}" if jitter else "accepted; nonpeaks, which train it, are never jittered")
    group.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    group.add_argument("--precision", choices=["float32", "tf32", "bfloat16"], default="tf32", help="of products on a GPU "
                       "(default tf32, as TensorFlow's); bfloat16 keeps weights, heads and losses in float32")
    group.add_argument("--xla", action="store_true", help="compile TensorFlow's steps with XLA (JAX always does)")
    group.add_argument("--gpus", type=int, default=1, metavar="N", help="GPUs of this host that share each batch")
    _explanation(parser)
    _place(parser)
    _dry(parser)
    group = _files(parser)
    group.add_argument("-track", "--trackables", nargs="*", metavar="NAME", help=argparse.SUPPRESS)
    group.add_argument("--bsort", action="store_true", help=argparse.SUPPRESS)
    group.add_argument("--no-st", action="store_true", help=argparse.SUPPRESS)
    group.add_argument("--tmpdir", help=argparse.SUPPRESS)


def _explanation(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("explanation")
    group.add_argument("--explain", type=int, default=30_000, metavar="N", help="peaks to explain at most (default 30000; "
                       "0: no contributions, no motifs)")
    group.add_argument("--explain-counts", action="store_true", help="explain the main model's counts too")
    group.add_argument("--motifs", default="jaspar:vertebrates", metavar="jaspar:TAXON|MEME", help="known motifs to compare "
                       "with (default jaspar:vertebrates; fungi, insects, nematodes, plants), or a file in MEME's format")
    group.add_argument("--assembly", metavar="NAME", help="the genome's name in browsers, such as hg38: adds a track hub")


def _dry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print what would run, memory, disk and time, and exit")


def _files(parser: argparse.ArgumentParser):
    """The files' prefix; the group of flags that are accepted without effect."""
    group = parser.add_argument_group("files")
    group.add_argument("-fp", "--file-prefix", default="", metavar="PREFIX", help="begins every file's name")
    group = parser.add_argument_group("accepted for the reference's sake, without effect")
    group.add_argument("-hp", "--html-prefix", default="./", help=argparse.SUPPRESS)
    return group


def _place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it runs")
    group.add_argument("--store", metavar="URL", help="where steps keep their outputs (default ~/.cache/chrombpnet/store)")
    group.add_argument("--threads", type=int, metavar="N", help="for reading and writing data (default: one per core)")
    group.add_argument("--device", choices=["auto", "cpu", "gpu"], help="a full-size model on a CPU must be asked for")
    group.add_argument("--backend", choices=["tensorflow", "jax"], help="of Keras (default tensorflow)")


def _nonpeaks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA")
    parser.add_argument("-o", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_negatives.bed")
    parser.add_argument("-p", "--peaks", required=True, metavar="BED")
    parser.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV")
    parser.add_argument("-fl", "--chr-fold-path", required=True, metavar="JSON")
    parser.add_argument("-il", "--inputlen", type=int, default=2114, metavar="BP")
    parser.add_argument("-st", "--stride", type=int, default=1000, metavar="BP")
    parser.add_argument("-npr", "--neg-to-pos-ratio-train", type=int, default=2, metavar="N")
    parser.add_argument("-br", "--blacklist-regions", metavar="BED")
    parser.add_argument("--exclude-blacklisted-peaks", action="store_true", help="do not match the GC of peaks within half "
                        "the input length of the blacklist")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N")
    _names(parser)
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs")


def _splits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-op", "--output_prefix", required=True, metavar="PREFIX", help="writes PREFIX.json")
    parser.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV")
    parser.add_argument("-tcr", "--test-chroms", required=True, nargs="+", metavar="CHROM")
    parser.add_argument("-vcr", "--valid-chroms", required=True, nargs="+", metavar="CHROM")


def _folds(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-op", "--output_prefix", required=True, metavar="PREFIX", help="writes PREFIX_0.json, …")
    parser.add_argument("-c", "--chrom-sizes", required=True, metavar="TSV")
    parser.add_argument("-p", "--peaks", metavar="BED", help="their numbers are balanced as well as the lengths")
    parser.add_argument("-k", "--k", type=int, default=5, metavar="N", help="number of folds (default 5)")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N")


def _pred_bw(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("models, at least one")
    group.add_argument("-bm", "--bias-model", metavar="H5", help="bias.h5, scaled or not")
    group.add_argument("-cm", "--chrombpnet-model", metavar="H5", help="chrombpnet.h5")
    group.add_argument("-cmb", "--chrombpnet-model-nb", metavar="H5", help="chrombpnet_nobias.h5")
    group = parser.add_argument_group("inputs")
    group.add_argument("-r", "--regions", required=True, metavar="BED", help="narrowPeak, or BED (middle = summit)")
    _genome(group)
    group.add_argument("-bw", "--bigwig", metavar="BW", help="observed insertions: metrics and predictions are written too")
    group.add_argument("-d", "--debug-chr", nargs="+", metavar="CHROM", help="only these chromosomes")
    group = parser.add_argument_group("outputs")
    group.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_<model>.bw, …")
    group.add_argument("-os", "--output-prefix-stats", metavar="PREFIX", help="writes statistics of each track")
    parser.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the shuffled profiles in the metrics")
    parser.add_argument("-t", "--tqdm", help=argparse.SUPPRESS)
    _names(parser)
    _place(parser)


def _contribs_bw(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", "--model-h5", required=True, metavar="H5", help="a model of any kind; of chrombpnet.h5 only "
                        "the profile")
    parser.add_argument("-r", "--regions", required=True, metavar="BED", help="narrowPeak, or BED (middle = summit)")
    _genome(parser)
    parser.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX.profile_scores.h5, "
                        "PREFIX.profile_scores.bw, PREFIX.interpreted_regions.bed, …")
    parser.add_argument("-pc", "--profile-or-counts", nargs="+", choices=["counts", "profile"],
                        default=["counts", "profile"], metavar="HEAD", help="counts, profile (default: both)")
    parser.add_argument("-os", "--output-prefix-stats", metavar="PREFIX", help="writes PREFIX.profile_scores.stats.txt, …")
    parser.add_argument("-d", "--debug-chr", nargs="+", metavar="CHROM", help="only regions on these chromosomes")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the shuffles (default 1234)")
    parser.add_argument("--float32", action="store_true", help="write scores as float32 (default float16)")
    parser.add_argument("--precision", choices=["float32", "tf32"], default="tf32",
                        help="of products on a GPU (default tf32)")
    _names(parser)
    _place(parser)


def _footprints(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", "--model-h5", required=True, metavar="H5", help="a model; usually chrombpnet_nobias.h5")
    parser.add_argument("-r", "--regions", required=True, metavar="BED", help="background that motifs are put into")
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA")
    parser.add_argument("-fl", "--chr-fold-path", required=True, metavar="JSON", help="its test chromosomes are used")
    parser.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX")
    parser.add_argument("-pwm_f", "--motifs-to-pwm", metavar="TSV", help="motif names and sequences")
    parser.add_argument("-bs", "--batch-size", type=int, default=64, metavar="N")
    parser.add_argument("--ylim", metavar="LOW,HIGH", help="limits of the pictures' y axis, such as 0,0.01")
    _names(parser)
    _place(parser)


def _modisco_motifs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--h5py", required=True, metavar="H5", help="contributions, *_scores.h5 of contribs_bw")
    parser.add_argument("-n", "--max-seqlets", type=int, default=50_000, metavar="N",
                        help="sites of each sign that are clustered at most (default 50000)")
    parser.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX",
                        help="writes PREFIX_modisco.h5 and PREFIX_reports/")
    parser.add_argument("-l", "--n-leiden", type=int, default=2, metavar="N", help="clusterings tried (default 2)")
    parser.add_argument("-w", "--window", type=int, default=500, metavar="BP",
                        help="around each region's middle (default 500)")
    parser.add_argument("--motifs", default="jaspar:vertebrates", metavar="jaspar:TAXON|MEME", help="known motifs to "
                        "compare with: JASPAR's of a taxon (default jaspar:vertebrates), or a file in MEME's format")
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N", help="of the order in which regions are taken")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what TF-MoDISco says")
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs")


def _motif_hits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-i", "--h5py", required=True, metavar="H5", help="contributions, *_scores.h5 of contribs_bw")
    parser.add_argument("-r", "--regions", required=True, metavar="BED", help="their regions, *.interpreted_regions.bed")
    parser.add_argument("-m", "--modisco", required=True, metavar="H5", help="motifs, *_modisco.h5 of modisco_motifs")
    parser.add_argument("-op", "--output-prefix", required=True, metavar="PREFIX", help="writes PREFIX_hits.bed")
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs")


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-g", "--genome", required=True, metavar="FASTA")
    parser.add_argument("-c", "--chrom-sizes", metavar="TSV")
    reads = parser.add_mutually_exclusive_group()
    reads.add_argument("-ibam", "--input-bam-file", nargs="+", default=[], metavar="BAM")
    reads.add_argument("-ifrag", "--input-fragment-file", nargs="+", default=[], metavar="TSV")
    reads.add_argument("-itag", "--input-tagalign-file", nargs="+", default=[], metavar="BED")
    reads.add_argument("-ibw", "--input-bigwig-file", nargs="+", default=[], metavar="BW")
    parser.add_argument("-p", "--peaks", metavar="BED")
    parser.add_argument("-n", "--nonpeaks", metavar="BED")
    parser.add_argument("-br", "--blacklist-regions", metavar="BED")
    parser.add_argument("-fl", "--chr-fold-path", nargs="+", default=[], metavar="JSON")
    _names(parser)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", nargs="?", metavar="DATASET.YAML", help="a DatasetSpec as YAML or JSON")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a DatasetSpec and exit")
    parser.add_argument("--fold", type=int, metavar="I", help="this fold alone, from 0")
    parser.add_argument("--bias-only", action="store_true", help="choose among several bias threshold factors, no more")
    parser.add_argument("--folds-at-once", type=int, metavar="N", help="in place of the data set's folds_at_once")
    parser.add_argument("--fold-deployment", metavar="NAME", help="every fold as a run of this Prefect deployment of the "
                        "flow 'fold', such as fold/gpu")
    _dry(parser)
    _place(parser)


def _of_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="the output folder of a run, or its data set file")


def _resume(parser: argparse.ArgumentParser) -> None:
    _of_run(parser)
    _dry(parser)
    _place(parser)


def _status(parser: argparse.ArgumentParser) -> None:
    _of_run(parser)
    parser.add_argument("--store", metavar="URL", help="where steps keep their outputs (default: as recorded)")


def _clean(parser: argparse.ArgumentParser) -> None:
    _status(parser)
    parser.add_argument("--all", action="store_true", help="outputs of the run's steps too, where no other run uses them")
    parser.add_argument("--yes", action="store_true", help="delete")


def _index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", metavar="FOLDER", help="folder or address below which results or bundles of data sets lie")


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output-dir", default="demo_output", metavar="FOLDER")
    parser.add_argument("-d", "--data-type", default="ATAC", choices=["ATAC", "DNASE"])
    parser.add_argument("-s", "--seed", type=int, default=1234, metavar="N")
    _place(parser)


if __name__ == "__main__":
    sys.exit(main())
