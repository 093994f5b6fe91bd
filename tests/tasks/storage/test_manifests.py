"""The form of manifests, and that no bit of one can change unseen."""

from __future__ import annotations

import json

import pytest

from tasks.storage import manifest_fault, sealed

WHOLE = {
    "step": "train_main",
    "key": "0ab",
    "version": 1,
    "title": "Train",
    "inputs": {"shards": {"step": "shards", "key": "k", "sha256": "1" * 64}},
    "parameters": {"rate": 0.001, "none": None},
    "files": {"a.txt": {"size": 3, "sha256": "0" * 64}, "sub/b.txt": {"size": 0, "sha256": "f" * 64}},
    "facts": {"auroc": 0.75, "words": "two  words"},
    "versions": {"numpy": "2"},
    "host": "node",
    "started": "2026-01-01",
    "peak_memory": 7,
    "seconds": 1.5,
    "place": "0123456789ab",
}


def _fault(manifest):
    return manifest_fault(manifest, "train_main", "0ab")


def test_a_whole_manifest_has_no_fault_and_neither_has_one_of_an_earlier_version():
    assert _fault(sealed(WHOLE)) == ""
    assert _fault(json.loads(json.dumps(sealed(WHOLE), indent=1))) == ""
    assert _fault(WHOLE) == ""
    assert _fault(sealed(WHOLE | {"of a later version": 1})) == ""


def test_no_bit_of_a_manifest_changes_unseen():
    text = (json.dumps(sealed(WHOLE), indent=1) + "\n").encode()
    for position in range(len(text)):
        for bit in range(8):
            damaged = bytearray(text)
            damaged[position] ^= 1 << bit
            try:
                manifest = json.loads(damaged)
            except ValueError:
                continue
            assert _fault(manifest), damaged[max(0, position - 20) : position + 20]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"step": "train_bias"}, "another step"),
        ({"key": "0ac"}, "another step"),
        ({"files": []}, "'files' is of another kind"),
        ({"facts": None}, "'facts' is of another kind"),
        ({"place": "../x"}, "'place' is no name"),
        ({"files": {"/etc/passwd": {"size": 1, "sha256": "0" * 64}}}, "entry of '/etc/passwd'"),
        ({"files": {"../a": {"size": 1, "sha256": "0" * 64}}}, "entry of '../a'"),
        ({"files": {"a": {"size": "1", "sha256": "0" * 64}}}, "entry of 'a'"),
        ({"files": {"a": {"size": 1, "sha256": "0" * 63}}}, "entry of 'a'"),
        ({"filez": {}}, "a field 'filez'"),
    ],
)
def test_a_manifest_of_another_form_is_refused(change, fault):
    assert fault in _fault(WHOLE | change)


@pytest.mark.parametrize("manifest", [None, [], "x", {}, {"step": "train_main", "key": "0ab", "files": {}}])
def test_what_is_no_manifest_is_refused(manifest):
    assert _fault(manifest)
