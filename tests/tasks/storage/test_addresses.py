"""What of an address may be shown."""

from __future__ import annotations

from tasks.storage import (
    redact,
    redact_all,
)


def test_addresses_are_shown_without_secrets():
    assert redact("https://user:pass@host/a/b?X-Goog-Signature=abc") == "https://host/a/b"
    assert redact("/a/b") == "/a/b"


def test_secrets_are_taken_out_of_whatever_was_asked():
    asked = {"peaks": "https://u:p@h/p.bed?sig=1", "reads": {"bam": ["s3://b/k?token=2", "/local?x"]}, "seed": 3}
    assert redact_all(asked) == {"peaks": "https://h/p.bed", "reads": {"bam": ["s3://b/k", "/local?x"]}, "seed": 3}
