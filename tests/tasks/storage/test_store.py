"""The store in a local folder; buckets have files of their own."""

from __future__ import annotations

import pytest

from tasks.storage import Overtaken, Store


def test_json_is_written_whole(tmp_path):
    store = Store(str(tmp_path))
    store.write_json({"a": 1}, "x.json")
    assert store.read_json("x.json") == {"a": 1}
    assert store.read_json("absent.json") is None
    (tmp_path / "x.json").write_text("{")
    assert store.read_json("x.json") is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_what_another_has_written_meanwhile_is_not_replaced(tmp_path):
    store = Store(str(tmp_path))
    assert store.mark("x.json") == ""
    store.write_json({"a": 1}, "x.json", replacing="")
    before = store.mark("x.json")
    store.write_json({"a": 2}, "x.json", replacing=before)
    for mark in ("", before):
        with pytest.raises(Overtaken):
            store.write_json({"a": 3}, "x.json", replacing=mark)
    assert store.read_json("x.json") == {"a": 2}


@pytest.mark.parametrize("text", ["{", "[1]", "\0\xff", "[" * 100_000])
def test_what_is_no_json_object_is_told_once(tmp_path, caplog, text):
    (tmp_path / "x.json").write_text(text)
    assert Store(str(tmp_path)).read_json("x.json") is None
    assert caplog.text.count("x.json: damaged (no JSON object), not used") == 1
