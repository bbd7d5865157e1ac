"""Our reading of JSON against that of the standard library, on text that is nearly JSON."""

from __future__ import annotations

from hypothesis import assume, example, given
from hypothesis import strategies as st

from inboxd.array.syntax import Broken, SyntaxReader, skip_space

from .checking import check, codes
from .slow_json import json_documents, mutated, nearly_json, verdict

_texts = json_documents | nearly_json | mutated(json_documents) | mutated(nearly_json)


def _read(data: bytes, *, max_depth: int) -> set[str]:
    """Return the codes of what the strict reader finds in a whole document."""
    reader = SyntaxReader(data, max_depth=max_depth)
    try:
        end = reader.value(0, (), 0)
    except Broken as broken:
        return {broken.finding.code.value}
    if skip_space(data, end) != len(data):
        return {"invalid_json"}
    return {finding.code.value for finding in reader.findings}


def _agree(ours: set[str], theirs: set[str]) -> bool:
    """Say whether two verdicts agree: of several things that end the reading one is enough."""
    fatal = {"not_utf8", "invalid_json", "too_deep"}
    if theirs & fatal:
        return bool(ours & fatal)
    return ours == theirs


@given(_texts)
@example(b'{"a":1,"a":2}')
@example(b'["\\ud800"]')
@example(b"\xff")
@example(b'"\xed\xa0\x80"')
def test_the_strict_reader_finds_what_the_slow_one_finds(data: bytes) -> None:
    assert _agree(_read(data, max_depth=64), verdict(data, max_depth=64))


@given(_texts, st.integers(1, 4))
def test_depth_is_counted_alike(data: bytes, max_depth: int) -> None:
    assert _agree(_read(data, max_depth=max_depth), verdict(data, max_depth=max_depth))


@given(_texts, st.sampled_from(["inputs", "params", "metadata", "x-own"]))
@example(b'{"a":1,"a":2}', "inputs")
@example(b"1e999", "params")
@example(b"1" * 101, "metadata")
@example(b'"\xed\xa0\x80"', "x-own")
def test_an_array_is_accepted_exactly_when_the_slow_reader_takes_it(data: bytes, key: str) -> None:
    assume(b"tasks" not in data and b"$secret" not in data)
    value = data if key == "x-own" else b'{"v":' + data + b"}"
    document = b'[{"id":"a","executor":"noop","' + key.encode() + b'":' + value + b"}]"
    ours = {code for code, _ in codes(document)}
    theirs = verdict(document, max_depth=64)
    # What breaks out of its place makes other fields, and other errors than those of the text.
    assume(verdict(data, max_depth=64) == theirs)

    assert _agree(ours, theirs)


@given(st.binary(max_size=60) | mutated(mutated(json_documents)))
def test_any_bytes_get_an_answer(data: bytes) -> None:
    result = check(data)

    assert result.warnings is not None


@given(mutated(json_documents), st.integers(1, 300))
def test_a_document_that_is_cut_off_gets_an_answer(data: bytes, length: int) -> None:
    document = b'{"name":"n","tasks":[{"id":"a","executor":"noop","inputs":{"v":' + data + b"}}]}"

    assert isinstance(codes(document[:length]), list)
