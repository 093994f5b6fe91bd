"""The rule by which a bias threshold factor is chosen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.report.bias_factor import FactorCandidate, choose_factor, read_candidate


def _candidate(factor, r_peaks=0.0, tf_motif=False, r_nonpeaks=0.5, **more):
    return FactorCandidate(
        factor,
        r_nonpeaks,
        r_peaks,
        "profile: q = 1e-9 (CTCF)" if tf_motif else "none",
        tf_motif,
        more.pop("verdict", "fail" if tf_motif else "pass"),
        **more,
    )


def test_the_largest_factor_without_motifs_is_taken():
    choice = choose_factor([_candidate(0.3), _candidate(0.5), _candidate(0.8, tf_motif=True)])
    assert (choice.factor, choice.acceptable) == (0.5, True)
    assert "largest of 2 acceptable of 3" in choice.reason


def test_where_motifs_were_not_searched_for_the_smallest_acceptable_is_taken():
    choice = choose_factor([_candidate(0.3, r_peaks=-0.35), _candidate(0.5, tf_motif=None), _candidate(0.8, tf_motif=None)])
    assert choice.factor == 0.5
    assert "motifs were not searched for" in choice.reason


def test_the_authors_limits_decide_what_is_acceptable():
    assert choose_factor([_candidate(0.5, r_peaks=-0.29), _candidate(0.8, r_peaks=-0.31)]).factor == 0.5
    assert choose_factor([_candidate(0.5), _candidate(0.8, r_nonpeaks=-0.1)]).factor == 0.5
    assert choose_factor([_candidate(0.5), _candidate(0.8, verdict="fail")]).factor == 0.5
    assert choose_factor([_candidate(0.5, verdict="warn"), _candidate(0.3)]).factor == 0.5  # a warning is no fault
    assert choose_factor([_candidate(0.5, responds=True), _candidate(0.8, responds=False)]).factor == 0.5


def test_the_least_evil_is_taken_and_called_so():
    choice = choose_factor([_candidate(0.3, -0.45), _candidate(0.5, -0.35), _candidate(0.8, tf_motif=True)])
    assert (choice.factor, choice.acceptable) == (0.5, False)
    assert "r in peaks −0.35 is not above −0.3" in choice.reason
    choice = choose_factor([_candidate(0.5, tf_motif=True), _candidate(0.8, tf_motif=True)])
    assert (choice.factor, choice.acceptable) == (0.5, False)


def test_no_usable_model_is_an_error_that_tells_of_each():
    with pytest.raises(InputError, match=r"0.3: no model: too few; 0.5: r in peaks −0.60 is not above −0.3"):
        choose_factor([FactorCandidate(0.3, error="too few"), _candidate(0.5, -0.6), _candidate(0.8, None)])


def test_a_factor_without_a_model_is_passed_over():
    assert choose_factor([FactorCandidate(0.9, error="too few nonpeaks"), _candidate(0.5)]).factor == 0.5


def test_what_a_report_says_of_a_candidate():
    def verdict(key, status, value, shown=""):
        return {"key": key, "status": status, "value": value, "shown": shown}

    found = read_candidate(
        0.5,
        {
            "verdicts": [
                verdict("shift", "fail", None),
                verdict("bias_r_peaks", "pass", -0.1),
                verdict("bias_r_nonpeaks", "warn", None),
                verdict("bias_motifs_profile", "pass", 1.0, "none of 2 motifs"),
                verdict("bias_motifs_counts", "fail", 1e-6, "q = 1e-6 (CTCF)"),
            ]
        },
    )
    assert (found.r_peaks, found.r_nonpeaks, found.tf_motif, found.verdict) == (-0.1, None, True, "fail")
    assert found.motifs == "profile: none of 2 motifs; counts: q = 1e-6 (CTCF)"
    nothing = read_candidate(0.5, {"verdicts": [verdict("bias_r_peaks", "pass", -0.1)]})
    assert (nothing.tf_motif, nothing.motifs, nothing.verdict) == (None, "", "pass")


CANDIDATES = st.lists(
    st.builds(
        _candidate, st.floats(0.1, 1), st.none() | st.floats(-1, 1), st.none() | st.booleans(), st.none() | st.floats(-1, 1)
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda each: each.factor,
)


@given(CANDIDATES)
def test_whatever_the_candidates_an_acceptable_one_wins_and_an_unusable_one_never(candidates):
    if not any(each.usable for each in candidates):
        with pytest.raises(InputError):
            choose_factor(candidates)
        return
    choice = choose_factor(candidates)
    (chosen,) = [each for each in candidates if each.factor == choice.factor]
    assert chosen.usable
    assert choice.acceptable == (not chosen.faults) == any(not each.faults for each in candidates)
