"""Shards: what is written is what is read, at random and by TensorFlow's own reader; plans follow from (seed, epoch)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chrombpnet_core.errors import InputError
from chrombpnet_core.genome import codes_of, one_hot
from chrombpnet_core.regions import centres
from chrombpnet_core.sampling import Plan, batches, centred_plan, load_batch, prefetch, training_plan
from chrombpnet_core.shards import NONPEAK, PEAK, Layout, ShardSet, decode, encode


def _expected(data, number):
    table = pd.concat([data.peaks, data.nonpeaks], ignore_index=True)
    row, centre = table.iloc[number], centres(table)[number]
    text, counts = data.letters[row["chrom"]], data.counts[row["chrom"]]
    positions = np.arange(centre - 120, centre + 120)
    codes = np.array([codes_of(text[p])[0] if 0 <= p < len(text) else 4 for p in positions], dtype=np.uint8)
    positions = np.arange(centre - 60, centre + 60)
    return codes, np.array([counts[p] if 0 <= p < len(text) else 0 for p in positions], dtype=np.float32)


def test_every_record_holds_its_region(small_data):
    with small_data.open() as shards:
        order = np.random.default_rng(1).permutation(len(shards))
        codes, counts = shards.read(order)
        for row, number in enumerate(order):
            wanted = _expected(small_data, number)
            np.testing.assert_array_equal(codes[row], wanted[0])
            np.testing.assert_array_equal(counts[row], wanted[1])


def test_the_index_tells_kind_centre_counts_and_margin(small_data):
    index = small_data.index
    assert (index["id"] == np.arange(64)).all()
    assert index["kind"].tolist() == [PEAK] * 24 + [NONPEAK] * 40
    for number in (0, 10, 30):
        _, counts = _expected(small_data, number)
        assert index["counts"][number] == counts[20:100].sum()
    starts = index["centre"] - 100
    ends = index["chrom"].map(small_data.sizes) - (index["centre"] + 100)
    assert (index["margin"] == np.minimum(starts, ends)).all()


def test_tf_data_streams_a_shard(small_data):
    """The container is plain TFRecord, checksums included; each record is zlib."""
    import tensorflow as tf

    with small_data.open() as shards:
        path = str(small_data.folder / "shard-00000.tfrecord")
        records = [tf.io.decode_compressed(record, "ZLIB").numpy()
                   for record in tf.data.TFRecordDataset(path)]
        assert len(records) == (small_data.index["shard"] == 0).sum()
        ids = [int.from_bytes(record[:4], "little") for record in records]
        codes, _ = shards.read(np.array(ids))
        for record, wanted in zip(records, codes, strict=True):
            assert record[16:16 + 240] == wanted.tobytes()


@given(st.integers(0, 2**32 - 1), st.integers(0, 10), st.lists(st.integers(0, 4), min_size=12, max_size=12),
       st.lists(st.floats(0, 1e6, width=32), min_size=8, max_size=8))
def test_encode_and_decode_are_inverse(number, centre, codes, counts):
    layout = Layout(8, 4, 2)
    record = encode(number, PEAK, 3, centre, np.array(codes, np.uint8), np.array(counts, np.float32))
    header, found_codes, found_counts = decode(record, layout)
    assert header == (number, PEAK, 3, centre)
    np.testing.assert_array_equal(found_codes, codes)
    np.testing.assert_array_equal(found_counts, np.array(counts, np.float32))


def test_damage_is_told(small_data, tmp_path):
    for path in small_data.folder.iterdir():
        content = bytearray(path.read_bytes())
        if path.name == "shard-00000.tfrecord":
            content[30:60] = bytes(30)
        (tmp_path / path.name).write_bytes(content)
    with ShardSet(tmp_path) as shards, pytest.raises(InputError, match=r"shard-00000.*damaged"):
        shards.read(shards.index["id"].to_numpy())


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


def test_batches_crop_flip_and_sum(small_data):
    with small_data.open() as shards:
        plan = Plan(np.array([5, 5, 40]), np.array([0, 37, 20]), np.array([False, True, False]))
        batch = load_batch(shards, plan)
        codes, counts = _expected(small_data, 5)
        np.testing.assert_array_equal(batch.sequences[0], one_hot(codes[:200]))
        np.testing.assert_array_equal(batch.profiles[0], counts[:80])
        np.testing.assert_array_equal(batch.sequences[1], one_hot(codes[37:237])[::-1, ::-1])
        np.testing.assert_array_equal(batch.profiles[1], counts[37:117][::-1])
        np.testing.assert_allclose(batch.log_counts[:, 0], np.log1p(batch.profiles.sum(axis=1)), rtol=1e-6)
        assert batch.sequences.shape == (3, 200, 4)
        centred = centred_plan(np.arange(7), 20)
        sizes = [len(batch.ids) for batch in batches(shards, centred, 3, first=1)]
        assert sizes == [3, 1]


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
