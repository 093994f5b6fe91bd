"""Records: any bases and any float32 come back bit by bit, small counts are stored small, foreign bytes are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from chrombpnet_core.training_data import HEADER, ShardLayout, decode_records, encode_records

LAYOUT = ShardLayout(9, 6, 2)  # 13 bases and 10 positions: no whole bytes


def _encoded(codes, counts, ids=None):
    n = np.arange(len(codes))
    return encode_records(n if ids is None else ids, n % 2, n + 7, n * 1000, codes, counts)


@given(st.data(), st.integers(1, 4))
def test_decoding_inverts_encoding_for_any_bases_and_values(data, n):
    codes = data.draw(npst.arrays(np.uint8, (n, LAYOUT.bases), elements=st.integers(0, 4)))
    counts = np.where(
        data.draw(npst.arrays(bool, (n, LAYOUT.positions))),
        data.draw(npst.arrays(np.uint16, (n, LAYOUT.positions))).astype(np.float32) % 300,
        data.draw(npst.arrays(np.float32, (n, LAYOUT.positions))),
    )
    ids = data.draw(npst.arrays(np.uint32, n))
    header, found_codes, found_counts = decode_records(_encoded(codes, counts, ids), LAYOUT)
    np.testing.assert_array_equal(found_codes, codes)
    np.testing.assert_array_equal(found_counts.view(np.uint32), counts.view(np.uint32))  # -0.0 and NaN too
    assert header["id"].tolist() == ids.tolist()
    assert header["kind"].tolist() == [0, 1, 0, 1][:n]
    assert header["chrom"].tolist() == [7, 8, 9, 10][:n]
    assert header["centre"].tolist() == [0, 1000, 2000, 3000][:n]


@pytest.mark.parametrize(("scale", "most"), [(0, 811), (0.02, 1120), (0.3, 1400), (1, 1550), (5, 1850), (40, 2850)])
def test_records_of_every_depth_come_back_and_are_small(scale, most):
    """779 bytes of bases, 32 of header; counts at half a bit a position for the quiet, a byte for the loudest."""
    rng = np.random.default_rng(3)
    layout = ShardLayout(2114, 1000, 500)
    codes = rng.integers(0, 4, (6, layout.bases)).astype(np.uint8)
    codes[4:, ::50] = 4
    counts = rng.poisson(scale, (6, layout.positions)).astype(np.float32)
    records = _encoded(codes, counts)
    _, found_codes, found_counts = decode_records(records, layout)
    np.testing.assert_array_equal(found_codes, codes)
    np.testing.assert_array_equal(found_counts, counts)
    assert max(map(len, records[:4])) <= most
    assert max(map(len, records[4:])) <= most + (layout.bases + 7) // 8


def test_a_quiet_region_takes_its_bases_and_a_header():
    layout = ShardLayout(2114, 1000, 500)
    (record,) = _encoded(np.zeros((1, layout.bases), np.uint8), np.zeros((1, layout.positions), np.float32))
    assert len(record) == HEADER.itemsize + (layout.bases + 3) // 4


def test_nothing_is_decoded_to_nothing():
    header, codes, counts = decode_records([], LAYOUT)
    assert (header.shape, codes.shape, counts.shape) == ((0,), (0, 13), (0, 10))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: b"\x78" + record[1:], "version 120"),
        (lambda record: record[:-1], "does not describe"),
        (lambda record: record + b"\x00", "does not describe"),
        (lambda record: record[:20], "20 bytes"),
        (lambda record: record[:2] + b"\x03" + record[3:], "does not describe"),
    ],
)
def test_other_bytes_are_refused(change, message):
    (record,) = _encoded(np.zeros((1, 13), np.uint8), np.arange(10, dtype=np.float32)[None])
    with pytest.raises(ValueError, match=message):
        decode_records([record, change(record)], LAYOUT)


def test_other_widths_are_refused():
    (record,) = _encoded(np.zeros((1, 13), np.uint8), np.zeros((1, 10), np.float32))
    with pytest.raises(ValueError, match="17 bases and 14 positions"):
        decode_records([record], ShardLayout(13, 10, 2))
