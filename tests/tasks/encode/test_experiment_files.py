"""How the files of a data set change; which are chosen, the tests of the flow show on whole experiments."""

from __future__ import annotations

from tasks.encode import (
    changed_files,
)


def test_changes_of_files_in_words():
    experiment = {
        "files": [{"accession": "A", "status": "released"}, {"accession": "B", "status": "archived"}],
        "revoked_files": [{"accession": "C"}],
    }
    before = {"A": "1", "B": "2", "C": "3", "D": "4", "E": "5"}
    assert changed_files(before, before, experiment) == ""
    assert changed_files(before, {"E": "6", "F": "7"}, experiment, {"D": "replaced by F"}) == (
        "A is no longer chosen; B is archived; C is revoked; D is replaced by F; E has another MD5; F is new"
    )
