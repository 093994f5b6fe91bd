"""First come, first served, without locks; also where an answer is lost, or files have one name only."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from tasks.storage.claims import claim, mark_of


def test_the_first_of_many_wins(tmp_path):
    path, begin, won = tmp_path / "step" / "manifest.json", threading.Barrier(8), []

    def write(number):
        begin.wait(10)
        if claim(path, f"{number}".encode()):
            won.append(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(10)
    assert [path.read_text()] == [str(number) for number in won]
    assert [each.name for each in path.parent.iterdir()] == ["manifest.json"]


def test_what_is_damaged_is_replaced_and_what_came_later_is_not(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(b"damaged")
    seen = mark_of(path)
    assert not claim(path, b"one")
    assert claim(path, b"one", replacing=seen)
    assert not claim(path, b"two", replacing=seen)
    assert path.read_bytes() == b"one"


def test_a_lost_answer_is_known_as_ours(tmp_path, monkeypatch):
    """As NFS may give when it is asked again: the name is there already, and it is ours."""
    link = os.link

    def answer_lost(*names):
        link(*names)
        raise FileExistsError(errno.EEXIST, "exists")

    monkeypatch.setattr(os, "link", answer_lost)
    assert claim(tmp_path / "manifest.json", b"one")


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_second_names_one_still_stands(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "manifest.json"
    assert claim(path, b"one")
    assert not claim(path, b"two")
    assert path.read_bytes() == b"one"
    assert [each.name for each in tmp_path.iterdir()] == ["manifest.json"]


def test_another_error_is_not_hidden(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(OSError, match="broken"):
        claim(tmp_path / "manifest.json", b"one")
    assert list(tmp_path.iterdir()) == []
