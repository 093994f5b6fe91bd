"""The tables of motifs in a run's report: each motif's logos, its kind, and the known motifs that are most like it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from chrombpnet_core.evaluation import THRESHOLDS
from chrombpnet_core.models import BIAS, CORRECTED, MODEL_LABELS
from chrombpnet_core.plots import write_svg
from chrombpnet_core.report import pictures
from chrombpnet_core.report.content import MOTIF_MODELS, MotifEntry, ReportContent, format_q_value

__all__ = ["MotifLine", "MotifTable", "motif_tables"]

_HEADS = {"profile": "to the profile", "counts": "to the log counts"}
_MOTIFS_SHOWN = 50
_MATCHES_SHOWN = 3
_KIND_WORDS = {"enzyme": "enzyme", "tf": "transcription factor", "unmatched": "no known motif"}


@dataclass(frozen=True)
class MotifLine:
    """Hold a motif as the report shows it.

    Attributes
    ----------
    pattern, seqlets, kind
        Its name, number of sites, and kind in words.
    status
        ``fail`` or ``warn`` where the model should not have learnt it, else empty.
    svg
        Logos of both strands.
    matches
        Names and q-values of the known motifs that are most like it.
    """

    pattern: str
    seqlets: str
    kind: str
    status: str
    svg: Markup
    matches: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MotifTable:
    """Hold the motifs of one explanation; ``note`` says what the table leaves out, or that there is nothing in it."""

    title: str
    lines: list[MotifLine]
    note: str = ""


def motif_tables(content: ReportContent) -> tuple[MotifTable, ...]:
    """Make a table of each explanation's motifs, those with most sites first."""
    made = []
    for number, (key, entries) in enumerate(content.motifs.items()):
        word, _, head = key.partition(" ")
        model = MOTIF_MODELS.get(word, "")
        label = MODEL_LABELS.get(model, word)
        shown = sorted(entries, key=lambda entry: -entry.seqlets)[:_MOTIFS_SHOWN]
        note = "" if entries else "No motif was found: no pattern recurs in these contributions."
        if len(entries) > len(shown):
            note = f"The {len(shown)} with the most sites, of {len(entries)}; motifs.json has all."
        made.append(
            MotifTable(
                f"{label[:1].upper()}{label[1:]}, contributions {_HEADS.get(head, f'to {head}')}",
                [_line(entry, f"motif-{number}-{row}", model) for row, entry in enumerate(shown)],
                note,
            )
        )
    return tuple(made)


def _line(entry: MotifEntry, name: str, model: str) -> MotifLine:
    """Lay a motif out; its kind is a finding where the model should not have learnt it."""
    status = ""
    if model == BIAS and entry.kind == "tf":
        status = THRESHOLDS["bias_motifs"].status(entry.q)
    elif model == CORRECTED and entry.kind == "enzyme":
        status = "fail"
    alt = f"{entry.pattern}: contribution weights of {len(entry.cwm_fwd)} bases, forward and reverse complement."
    return MotifLine(
        entry.pattern,
        f"{entry.seqlets:,}",
        _KIND_WORDS.get(entry.kind, entry.kind),
        status if status != "pass" else "",
        Markup(write_svg(pictures.motif_logos(entry), name, alt)),
        tuple((match, format_q_value(q)) for match, q in entry.matches[:_MATCHES_SHOWN]),
    )
