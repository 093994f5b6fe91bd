"""Transcription starts: strands, the farthest upstream of a gene, genes that code for proteins."""

from __future__ import annotations

from chrombpnet_core.genome import Transcript, find_start_sites


def starts(*transcripts):
    return list(find_start_sites(transcripts).itertuples(index=False, name=None))


def test_genes_start_at_their_first_base_in_the_direction_of_transcription():
    forward = Transcript("chrI", "+", "A", ((100, 200), (300, 400)))
    backward = Transcript("chrI", "-", "B", ((100, 200), (300, 400)))
    assert starts(forward, backward) == [("chrI", 100, "+"), ("chrI", 399, "-")]


def test_the_transcript_that_begins_farthest_upstream_counts():
    forward = [Transcript("chrI", "+", "A", ((start, 400),)) for start in (120, 100, 300)]
    backward = [Transcript("chrI", "-", "A", ((100, end),)) for end in (300, 500, 400)]
    assert starts(*forward, *backward) == [("chrI", 100, "+"), ("chrI", 499, "-")]


def test_a_place_counts_once_and_genes_without_a_strand_do_not():
    same = [Transcript("chrI", "+", name, ((100, 200),)) for name in "AB"]
    assert starts(*same, Transcript("chrI", ".", "C", ((5, 9),))) == [("chrI", 100, "+")]
    assert starts(Transcript("chrI", ".", "C", ((5, 9),))) == []


def test_genes_that_code_for_proteins_are_taken_where_the_file_tells_them():
    coding = Transcript("chrI", "+", "A", ((100, 200),), "protein_coding")
    other = Transcript("chrI", "+", "B", ((500, 600),), "lncRNA")
    assert starts(coding, other) == [("chrI", 100, "+")]
    assert starts(other) == [("chrI", 500, "+")]
