"""Event files of TensorBoard."""

from __future__ import annotations

import struct

from chrombpnet_core.formats import RECORD_HEAD, RECORD_TAIL, write_scalars


def records(path):
    content, start = path.read_bytes(), 0
    while start < len(content):
        length = struct.unpack_from("<Q", content, start)[0]
        yield content[start + RECORD_HEAD : start + RECORD_HEAD + length]
        start += RECORD_HEAD + length + RECORD_TAIL


def test_a_record_a_step_follows_the_version(tmp_path):
    path = tmp_path / "events.out.tfevents.1"
    write_scalars(path, [{"loss": 2.5}, {"loss": 1.5, "val_loss": 3.0}])
    version, first, second = records(path)
    assert version.endswith(b"brain.Event:2")
    assert (first[9:11], second[9:11]) == (b"\x10\x00", b"\x10\x01")  # field 2: the step
    assert b"loss\x15" + struct.pack("<f", 2.5) in first
    assert b"val_loss\x15" + struct.pack("<f", 3.0) in second
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
