"""The six numbers at the top of a run's report: a bias model's own, or those of the main model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chrombpnet_core.evaluation import THRESHOLDS, format_response
from chrombpnet_core.models import BIAS, CORRECTED, FULL
from chrombpnet_core.report.content import MotifEntry, ReportContent
from chrombpnet_core.report.model_verdicts import explained_motifs
from chrombpnet_core.report.rules import Verdict
from chrombpnet_core.report.tables import format_number

__all__ = ["Tile", "tiles_of"]

_KINDS = {"tf": ("of a transcription factor", "of transcription factors"), "enzyme": ("of the enzyme",) * 2}
_UNMATCHED = ("like no known motif",) * 2


@dataclass(frozen=True)
class Tile:
    """Hold a number of the first screen: what it is, the number, a note, and the status of the verdict on it or empty."""

    label: str
    shown: str
    note: str
    status: str = ""


def tiles_of(content: ReportContent, verdicts: Sequence[Verdict]) -> list[Tile]:
    """Make the six tiles; a number that there is not is a dash.

    Parameters
    ----------
    content
        Of the report.
    verdicts
        Of that content.

    Returns
    -------
    list of Tile
        Reads, regions, correlation, profile or second correlation, enzyme, motifs.
    """
    by_key = {verdict.key: verdict for verdict in verdicts}
    makers = (
        (_reads, _nonpeaks, _r_nonpeaks, _r_peaks, _response, _bias_motifs)
        if content.kind == "bias"
        else (_reads, _peaks, _r_main, _jsd, _footprint, _corrected_motifs)
    )
    return [make(content, by_key) for make in makers]


def _status(by_key: dict[str, Verdict], *keys: str) -> str:
    """Find the status of the first of some verdicts that was given."""
    return next((by_key[key].status for key in keys if key in by_key), "")


def _reads(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    reads = content.reads
    value = format_number(reads) if reads is None or reads < 1e6 else f"{reads / 1e6:,.1f} M"
    note = f"in a genome of {content.genome_size / 1e6:,.1f} Mb" if content.genome_size else "not counted"
    return Tile("reads", value, note, _status(by_key, "reads"))


def _peaks(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    sizes = content.metrics.get(FULL, {}).get("group_sizes", {}).get("peaks", {})
    held_out = sizes.get("regions")
    note = "" if held_out is None else f"{held_out:,} of them on test chromosomes"
    status = _status(by_key, "most_peaks", "training_regions_main")
    return Tile("peaks", format_number(content.peaks), note, status)


def _nonpeaks(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    selection = content.selection.get("bias")
    kept = None if selection is None else selection.nonpeaks_kept
    note = ""
    if selection is not None and selection.threshold is not None:
        factor = "" if selection.threshold_factor is None else f" (factor {selection.threshold_factor:g})"
        note = f"with fewer than {selection.threshold:.4g} reads{factor}"
    return Tile("nonpeaks to train on", format_number(kept), note, _status(by_key, "training_regions_bias"))


def _r(content: ReportContent, model: str, group: str, key: str, by_key: dict[str, Verdict]) -> Tile:
    r = content.metric(model, "counts_metrics", group, "pearsonr")
    wanted = f"{THRESHOLDS[key].good:g}".replace("-", "−")
    return Tile(f"r in held-out {group}", format_number(r), f"of counts; above {wanted} wanted", _status(by_key, key))


def _r_main(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    return _r(content, FULL, "peaks", "main_r_peaks", by_key)


def _r_nonpeaks(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    return _r(content, BIAS, "nonpeaks", "bias_r_nonpeaks", by_key)


def _r_peaks(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    return _r(content, BIAS, "peaks", "bias_r_peaks", by_key)


def _jsd(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    jsd = content.metric(FULL, "profile_metrics", "peaks", "median_jsd")
    chance = content.metric(FULL, "chance_metrics", "peaks", "median_jsd")
    note = "" if chance is None else f"chance has {chance:.3f}; lower is better"
    return Tile("JSD in held-out peaks", format_number(jsd), note)


def _footprint(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    verdict = by_key.get("footprint")
    value = "–" if verdict is None or verdict.value is None else format_response(verdict.value)
    note = f"of the corrected model; below {THRESHOLDS['footprint'].good:g} wanted"
    return Tile("largest enzyme footprint", value, note, _status(by_key, "footprint"))


def _response(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    verdict = by_key.get("bias_response")
    value = "–" if verdict is None or verdict.value is None else f"{verdict.value:.3g} ×"
    note = f"an even profile; {THRESHOLDS['bias_response'].good:g} × or more wanted"
    return Tile("response to the enzyme", value, note, _status(by_key, "bias_response"))


def _corrected_motifs(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    return _motifs(content, CORRECTED, "corrected_motifs", by_key)


def _bias_motifs(content: ReportContent, by_key: dict[str, Verdict]) -> Tile:
    return _motifs(content, BIAS, "bias_motifs", by_key)


def _motifs(content: ReportContent, model: str, key: str, by_key: dict[str, Verdict]) -> Tile:
    found = explained_motifs(content, model)
    head = "profile" if "profile" in found else next(iter(found), "")
    if not head:
        return Tile("motifs found", "–", "not searched for")
    entries = found[head]
    return Tile("motifs found", f"{len(entries):,}", _kinds(entries), _status(by_key, f"{key}_{head}"))


def _kinds(entries: Sequence[MotifEntry]) -> str:
    counts = Counter(entry.kind for entry in entries)
    parts = [(counts[kind], words) for kind, words in (*_KINDS.items(), ("unmatched", _UNMATCHED))]
    return ", ".join(f"{count} {words[count != 1]}" for count, words in parts if count) or "no pattern recurs"
