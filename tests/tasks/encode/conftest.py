"""A cache of each test's own, short pauses, and a portal that is served on loopback."""

from __future__ import annotations

import pytest

from tests.emulators import without_pauses
from tests.emulators.portal import Bucket, PortalSite, Site, serving


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Short pauses after faults; a cache, and with it a rate, of the test's own."""
    monkeypatch.setenv("CHROMBPNET_CACHE", str(tmp_path / "cache"))
    without_pauses(monkeypatch)


@pytest.fixture
def world():
    """A portal, its bucket and a host that is none of theirs, all empty."""
    portal, bucket, foreign = PortalSite(), Bucket(), Site()
    with serving(portal, bucket, foreign):
        yield portal, bucket, foreign
