"""What a YAML file holds is what its JSON would hold."""

from __future__ import annotations

from inboxd_yaml.document import read_document


def test_words_that_are_no_booleans_stay_text() -> None:
    words = ["no", "yes", "on", "off", "y", "n", "12:30", "1_000", "2026-11-24", "1e", ".", "-"]

    assert read_document(b"[" + ", ".join(words).encode() + b"]") == words
