"""Verdicts: is this model good enough, by which number, against which threshold, and what to do about it.

Every threshold stands in :data:`~chrombpnet_core.evaluation.THRESHOLDS`.
"""

from __future__ import annotations

from chrombpnet_core.evaluation import STATUSES
from chrombpnet_core.models import BIAS, CORRECTED, FULL
from chrombpnet_core.report import data_verdicts, library_verdicts, model_verdicts
from chrombpnet_core.report.content import ReportContent
from chrombpnet_core.report.rules import Verdict

__all__ = ["judge", "not_judged", "worst"]

_JUDGES = (
    model_verdicts.judge_bias_model,
    model_verdicts.judge_full_model,
    model_verdicts.judge_footprints,
    model_verdicts.judge_motifs,
    model_verdicts.judge_against_truth,
    data_verdicts.judge_loss_weights,
    data_verdicts.judge_depth,
    library_verdicts.judge_library,
    data_verdicts.judge_accepted,
    data_verdicts.judge_shift,
    data_verdicts.judge_regions,
    model_verdicts.judge_training,
    model_verdicts.show_profile_distances,
    model_verdicts.show_noise_floor,
)


def judge(content: ReportContent) -> list[Verdict]:
    """Give every verdict that the content allows, worst first."""
    verdicts = [verdict for judge_one in _JUDGES for verdict in judge_one(content)]
    return sorted(verdicts, key=lambda verdict: STATUSES.index(verdict.status))


def worst(verdicts: list[Verdict]) -> str:
    """Find the worst status; ``info`` where nothing was judged."""
    return min((verdict.status for verdict in verdicts), key=STATUSES.index, default="info")


def not_judged(content: ReportContent) -> list[str]:
    """Name what could have been judged in a run of this kind but is not in the content."""
    has_main, has_bias = content.kind != "bias", content.kind != "main"
    missing = [
        (has_bias and BIAS not in content.metrics, "counts of the bias model"),
        (has_main and FULL not in content.metrics, "counts of the full model"),
        (has_main and not model_verdicts.enzyme_footprints(content), "enzyme footprints of the corrected model"),
        (content.shift is None, "the read shift"),
        (content.reads is None, "sequencing depth"),
        (content.library is None, "the share of insertions in peaks"),
        (
            content.library is None or content.library.start_sites is None,
            "enrichment at transcription starts (no genes were given)",
        ),
        (content.nonpeaks is None or not content.nonpeaks.wanted, "whether enough matching nonpeaks were found"),
        (not content.selection, "the selection of training regions"),
        (not content.history, "the course of training"),
        (
            has_bias and not model_verdicts.explained_motifs(content, BIAS),
            "motifs of transcription factors in the bias model, where there should be none (its contributions were not "
            "searched for motifs)",
        ),
        (
            has_main and not model_verdicts.explained_motifs(content, CORRECTED),
            "enzyme motifs in the corrected model, where there should be none (its contributions were not searched for "
            "motifs)",
        ),
    ]
    return [words for absent, words in missing if absent]
