"""JSON and YAML of the user's: bounded, and one line for whatever is wrong."""

from __future__ import annotations

import time

import pytest

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import read_json, read_yaml

LAUGHS = (
    "a0: &a0 [" + "x, " * 10 + "]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


def refusal(tmp_path, read, content):
    (tmp_path / "file").write_bytes(content if isinstance(content, bytes) else content.encode())
    before = time.process_time()
    with pytest.raises(InputError) as caught:
        read(tmp_path / "file", "data set")
    assert time.process_time() - before < 10
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "file"))
    assert len(message) < 2000
    return message.removeprefix(str(tmp_path / "file"))


@pytest.mark.parametrize("content", [b'{"a": [1, "x"]}', b'\xef\xbb\xbf{"a": [1, "x"]}', b'{"a":\r[1,\r"x"]}\r'])
def test_documents_are_read(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert read_json(tmp_path / "file", "fold") == read_yaml(tmp_path / "file", "fold") == {"a": [1, "x"]}


def test_yaml_may_repeat_itself_within_bounds(tmp_path):
    (tmp_path / "file").write_text("a: &a {x: 1, y: 2}\nb: *a\nc: {<<: *a, x: 3}\nd: [*a, *a]\n")
    content = read_yaml(tmp_path / "file", "data set")
    assert content["b"] == {"x": 1, "y": 2}
    assert content["c"] == {"x": 3, "y": 2}
    assert len(content["d"]) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LAUGHS, "line 6: not YAML; found more than 1,000,000 values"),
        (MERGED, "not YAML; found more than 1,000,000 values"),
        ("a: &a [*a]\n", "line 1: not YAML; found an alias within what it stands for"),
        ("a: &a\n  b: {c: *a}\n", "line 2: not YAML; found an alias within"),
        ("--- &a\n? *a\n: 1\n", "an alias within"),
        ("[" * 3_000, "nested too deeply"),
        ("{a: " * 3_000, "nested too deeply"),
        ("- " * 5_000, "nested too deeply"),
        ("peaks: a\ngenome: b\npeaks: c\n", "line 3: not YAML; found key 'peaks' is given twice"),
        ("reads: {bam: [a], bam: [b]}\n", "line 1: not YAML; found key 'bam' is given twice"),
        ("a: 1\n- b\n", "line 2: not YAML"),
        ("a: [1\n", "not YAML"),
        ("a: !!int ''\n", "a date or number that is none"),
        ("a: !!timestamp x\n", "a date or number that is none"),
        ("a: 2001-99-99\n", "a date or number that is none"),
        ("a: " + "9" * 5000 + "\n", "a date or number that is none"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1: not YAML; found could not determine a constructor"),
        ("a: *b\n", "undefined alias"),
        ("a: \x1b[31m\n", "unacceptable character #x001b"),
        (b"a: \xff\n", "line 1: not YAML; expected the data set as UTF-8 text, found byte 0xff"),
        ("a: b\n".encode("utf-16"), "text in UTF-16"),
        ("a: b\n" * 300_000, "too large for a data set; expected at most"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "is HDF5"),
    ],
    ids=range(23),
)
def test_yaml_is_refused_in_one_line(tmp_path, content, words):
    assert words in refusal(tmp_path, read_yaml, content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[" * 1_000_000, "nested too deeply"),
        ('{"a": ' * 1_000_000, "nested too deeply"),
        ('{"test": ["a"], "test": ["b"]}', "key 'test' twice"),
        ('{"a": {"b": 1, "b": 1}}', "key 'b' twice"),
        ('{"a": NaN}', "NaN, which is no number"),
        ('{"a": [-Infinity]}', "-Infinity, which is no number"),
        ('{"a": 1e400}', "1e400, which is no number"),
        ('{"a": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{\n"a": x}', "line 2: not JSON; found Expecting value (column 6)"),
        ("", "empty file"),
        ("\ufeff", "line 1: not JSON"),
        ('{"a": "\xff"}'.encode("latin-1"), "line 1: not JSON"),
        (b'{"a": 1}'.decode().encode("utf-16"), "text in UTF-16"),
    ],
    ids=range(13),
)
def test_json_is_refused_in_one_line(tmp_path, content, words):
    assert words in refusal(tmp_path, read_json, content)
