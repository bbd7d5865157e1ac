"""What an answer becomes, when to come again, and with which method."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd_http.bodies import BodyError
from inboxd_http.results import body_entry, header_table, text_of
from inboxd_http.verdict import method_after, retry_after_seconds


@pytest.mark.parametrize(
    ("data", "response", "media_type", "charset", "expected"),
    [
        (b'{"a": 1}', "auto", "application/json", None, ("json", {"a": 1})),
        (b'{"a": 1}', "auto", "application/problem+json", None, ("json", {"a": 1})),
        (b'\xef\xbb\xbf{"a": 1}', "auto", "application/json", None, ("json", {"a": 1})),
        (b'{"a": 1}', "auto", "text/plain", None, ("text", '{"a": 1}')),
        (b'{"a": 1}', "json", "text/plain", None, ("json", {"a": 1})),
        (b'{"a": 1}', "text", "application/json", None, ("text", '{"a": 1}')),
        (b'{"a": 1}', "base64", "application/json", None, ("base64", "eyJhIjogMX0=")),
        (b"oops", "auto", "application/json", None, ("text", "oops")),
        (b'{"a": NaN}', "auto", "application/json", None, ("text", '{"a": NaN}')),
        (b"", "auto", "application/json", None, ("text", "")),
        (b"caf\xe9", "auto", "text/html", "iso-8859-1", ("text", "café")),
        (b"caf\xe9", "auto", "text/html", None, ("base64", "Y2Fm6Q==")),
        (b"abc", "auto", "text/html", "no-such", ("base64", "YWJj")),
        (b"a\0b", "auto", "application/octet-stream", None, ("base64", "YQBi")),
        (b"a\0b", "text", "application/octet-stream", None, ("text", "a\0b")),
    ],
)
def test_a_body_becomes_what_it_is(
    data: bytes, response: str, media_type: str, charset: str | None, expected: tuple[str, Any]
) -> None:
    found = body_entry(data, response=response, media_type=media_type, charset=charset)

    assert found == expected


@pytest.mark.parametrize(
    ("data", "response"),
    [(b"oops", "json"), (b"", "json"), (b"[" * 100_000, "json"), (b"\xff", "text")],
)
def test_a_body_that_is_not_what_the_task_wants_is_an_error(data: bytes, response: str) -> None:
    with pytest.raises(BodyError, match="the body is no"):
        body_entry(data, response=response, media_type="text/plain", charset=None)


@given(st.binary(max_size=200), st.sampled_from(["utf-8", "utf-16", "utf-32-le", "cp1252", None]))
def test_text_is_always_fit_for_json(data: bytes, charset: str | None) -> None:
    text = text_of(data, charset)

    assert text is None or json.loads(json.dumps(text).encode()) == text
    assert text is None or text.encode().decode() == text


@pytest.mark.parametrize("charset", ["idna", "punycode", "unicode_escape", "utf-7", "zlib"])
def test_an_encoding_that_is_more_than_one_is_not_used(charset: str) -> None:
    assert text_of(b"abc", charset) is None


def test_headers_of_one_name_are_joined_but_cookies_are_a_list() -> None:
    headers = [("Vary", "A"), ("vary", "B"), ("Set-Cookie", "a=1"), ("X", "\udcff")]

    assert header_table(headers) == {"vary": "A, B", "set-cookie": ["a=1"], "x": "�"}


NOW = datetime(2026, 11, 24, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0),
        (" 120 ", 120),
        ("9" * 5000, 3600),
        ("Tue, 24 Nov 2026 10:01:30 GMT", 90),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 0),
        ("Tuesday, 24-Nov-26 10:00:05 GMT", 5),
        ("Fri, 24 Nov 2028 10:00:00 GMT", 3600),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_has_a_bound(
    value: str | None, expected: float | None
) -> None:
    assert retry_after_seconds(value, now=NOW, most=3600) == expected


@given(st.text(max_size=60))
def test_any_retry_after_is_read_or_not_but_raises_nothing(value: str) -> None:
    found = retry_after_seconds(value, now=NOW, most=3600)

    assert found is None or 0 <= found <= 3600


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (302, "GET", "GET"),
    ],
)
def test_a_redirect_keeps_the_method_or_makes_it_get(
    status: int, method: str, expected: str
) -> None:
    assert method_after(status, method) == expected
