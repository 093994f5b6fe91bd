"""The tables of motifs in a run's report: each motif's logo beside that of the known one that is most like it, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from chrombpnet_core.evaluation import THRESHOLDS
from chrombpnet_core.genome import information_content
from chrombpnet_core.models import BIAS, CORRECTED, MODEL_LABELS
from chrombpnet_core.report.content import MOTIF_MODELS, MotifEntry, ReportContent, format_q_value
from chrombpnet_core.report.motifs_page import logo_svg

__all__ = ["MotifLine", "MotifTable", "motif_tables"]

_HEADS = {"profile": "to the profile", "counts": "to the log counts"}
_MOTIFS_SHOWN = 50
_UNMATCHED_SHOWN = 5
_MATCHES_SHOWN = 3
_KIND_WORDS = {"enzyme": "enzyme", "tf": "transcription factor", "unmatched": "no known motif"}


@dataclass(frozen=True)
class MotifLine:
    """Hold a motif as the report shows it.

    Attributes
    ----------
    name, pattern
        The known motif that it is, or ``unknown``; the pattern's name.
    seqlets, kind, where
        Number of sites, kind in words, and how far from the middle of the regions its sites lie.
    status
        ``fail`` or ``warn`` where the model should not have learnt it, else empty.
    svg, known_svg
        Logo of the motif, and of the known motif that is most like it; the latter may be empty.
    matches
        Names and q-values of the known motifs that are most like it.
    """

    name: str
    pattern: str
    seqlets: str
    kind: str
    where: str
    status: str
    svg: Markup
    known_svg: Markup
    matches: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MotifTable:
    """Hold the motifs of one explanation.

    Attributes
    ----------
    title, lines
        What was explained, and its motifs.
    note
        What the table leaves out, or that there is nothing in it.
    page
        The page of all of them, as the run's results name it, and the words of a link to it.
    """

    title: str
    lines: list[MotifLine]
    note: str = ""
    page: tuple[str, str] = ("", "")


def motif_tables(content: ReportContent) -> tuple[MotifTable, ...]:
    """Make a table of each explanation's motifs, those with most sites first."""
    made = []
    for number, (key, entries) in enumerate(content.motifs.items()):
        word, _, head = key.partition(" ")
        model = MOTIF_MODELS.get(word, "")
        label = MODEL_LABELS.get(model, word)
        shown = _shown(entries)
        folder = "" if content.kind != "dataset" else "bias/" if model == BIAS else "main/"
        words = f"All {len(entries):,} motifs, with their reverse complements and nearest known motifs"
        made.append(
            MotifTable(
                f"{label[:1].upper()}{label[1:]}, contributions {_HEADS.get(head, f'to {head}')}",
                [_line(entry, f"motif-{number}-{row}", model) for row, entry in enumerate(shown)],
                _note(entries, shown),
                (f"{folder}evaluation/modisco_{head}/motifs.html", words) if entries else ("", ""),
            )
        )
    return tuple(made)


def _shown(entries: Sequence[MotifEntry]) -> list[MotifEntry]:
    """Choose the motifs with most sites, of those that are like no known one a few only."""
    ranked = sorted(entries, key=lambda entry: -entry.seqlets)
    unmatched = [entry for entry in ranked if entry.kind == "unmatched"][_UNMATCHED_SHOWN:]
    return [entry for entry in ranked if not any(entry is other for other in unmatched)][:_MOTIFS_SHOWN]


def _note(entries: Sequence[MotifEntry], shown: Sequence[MotifEntry]) -> str:
    """Say what the table leaves out, or that there is nothing in it."""
    if not entries:
        return "No motif was found: no pattern recurs in these contributions."
    unmatched = max(sum(entry.kind == "unmatched" for entry in entries) - _UNMATCHED_SHOWN, 0)
    notes = []
    if len(shown) < len(entries) - unmatched:
        notes.append(f"The {len(shown)} with the most sites, of {len(entries)}.")
    if unmatched:
        notes.append(f"{unmatched} more {'is' if unmatched == 1 else 'are'} like no known motif.")
    return " ".join(notes)


def _line(entry: MotifEntry, name: str, model: str) -> MotifLine:
    """Lay a motif out; its kind is a finding where the model should not have learnt it."""
    status = ""
    if model == BIAS and entry.kind == "tf":
        status = THRESHOLDS["bias_motifs"].status(entry.q)
    elif model == CORRECTED and entry.kind == "enzyme":
        status = "fail"
    best = entry.matches[0][0] if entry.matches else ""
    return MotifLine(
        best if entry.kind != "unmatched" else "unknown",
        entry.pattern,
        f"{entry.seqlets:,}",
        _KIND_WORDS.get(entry.kind, entry.kind),
        "" if entry.distance is None else f"half of them within {entry.distance:,.0f} bp of the summit",
        status if status != "pass" else "",
        logo_svg(entry.cwm_fwd, name, f"Contribution weights of {entry.pattern}, {len(entry.cwm_fwd)} bases"),
        _known_logo(entry, f"{name}-known", best),
        tuple((match, format_q_value(q)) for match, q in entry.matches[:_MATCHES_SHOWN]),
    )


def _known_logo(entry: MotifEntry, name: str, best: str) -> Markup:
    if entry.match_pfm is None:
        return Markup("")
    bits = entry.match_pfm * information_content(entry.match_pfm)[:, None]
    return logo_svg(bits, name, f"Base frequencies of the known motif {best}, {len(bits)} bases, in bits")
