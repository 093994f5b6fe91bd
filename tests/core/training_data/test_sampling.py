"""Plans follow from (seed, epoch); batches are crops of the records, flipped and expanded, in the plan's order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chrombpnet_core.concurrency import prefetch
from chrombpnet_core.genome import one_hot
from chrombpnet_core.training_data import ExamplePlan, centred_plan, read_batch, read_batches, training_plan
from tests.core.training_data.test_shards import written


def test_plans_follow_from_seed_and_epoch():
    peaks, nonpeaks = np.arange(50), np.arange(50, 150)

    def make(seed, epoch):
        return training_plan(peaks, nonpeaks, 5, 20, 30, seed, epoch)

    one, again, next_epoch = make(1, 0), make(1, 0), make(1, 1)
    for name in ("ids", "offsets", "flipped"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert (one.ids != next_epoch.ids).any()
    assert len(one) == 55
    assert set(peaks) <= set(one.ids)
    assert len(set(one.ids) & set(nonpeaks)) == 5
    assert one.flipped.sum() == 27
    is_peak = one.ids < 50
    assert (one.offsets[~is_peak] == 30).all()
    assert one.offsets[is_peak].min() >= 10
    assert one.offsets[is_peak].max() <= 50
    assert len(set(one.offsets[is_peak])) > 10


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 40), st.booleans()), min_size=1, max_size=9))
def test_batches_crop_flip_expand_and_sum(small_data, examples):
    """One example at a time, from the letters and counts that were written."""
    ids, offsets, flipped = (np.array(column) for column in zip(*examples, strict=True))
    with small_data.open() as shards:
        batch = read_batch(shards, ExamplePlan(ids, offsets, flipped))
    assert batch.sequences.shape == (len(ids), 200, 4)
    assert batch.sequences.dtype == batch.profiles.dtype == batch.log_counts.dtype == np.float32
    for row, (number, offset, flip) in enumerate(examples):
        codes, counts = written(small_data, number)
        sequence = one_hot(codes[offset : offset + 200])
        profile, step = counts[offset : offset + 80], -1 if flip else 1
        np.testing.assert_array_equal(batch.sequences[row], sequence[::step, ::step])
        np.testing.assert_array_equal(batch.profiles[row], profile[::step])
        assert batch.log_counts[row, 0] == np.float32(np.log1p(profile.sum(dtype=np.float64)))
    np.testing.assert_array_equal(batch.ids, ids)


def test_batches_begin_at_any_step_and_the_last_is_smaller(small_data):
    with small_data.open() as shards:
        plan = centred_plan(np.arange(7), 20)
        whole = list(read_batches(shards, plan, 3))
        assert [len(batch.ids) for batch in whole] == [3, 3, 1]
        rest = list(read_batches(shards, plan, 3, first=1))
        assert len(rest) == 2
        for mine, yours in zip(rest, whole[1:], strict=True):
            np.testing.assert_array_equal(mine.sequences, yours.sequences)
            np.testing.assert_array_equal(mine.profiles, yours.profiles)


def test_prefetch_passes_errors_on_and_can_be_left():
    def failing():
        yield 1
        raise ValueError("boom")

    found = prefetch(failing())
    assert next(found) == 1
    with pytest.raises(ValueError, match="boom"):
        next(found)
    endless = prefetch(iter(int, 1), depth=2)
    assert next(endless) == 0
    endless.close()
