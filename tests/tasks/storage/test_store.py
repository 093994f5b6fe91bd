"""The store in a local folder; buckets have files of their own."""

from __future__ import annotations

from tasks.storage import (
    Store,
)


def test_json_is_written_whole(tmp_path):
    store = Store(str(tmp_path))
    store.write_json({"a": 1}, "x.json")
    assert store.read_json("x.json") == {"a": 1}
    assert store.read_json("absent.json") is None
    (tmp_path / "x.json").write_text("{")
    assert store.read_json("x.json") is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
