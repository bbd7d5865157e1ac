"""
A second opinion on JSON text, by the standard library: slow, recursive, and not ours.

Also strategies for text that is JSON, or nearly.
"""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import strategies as st

__all__ = ["json_documents", "mutated", "nearly_json", "verdict"]

_MOST_DIGITS = 100


class _RefusedError(Exception):
    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def verdict(data: bytes, *, max_depth: int) -> set[str]:
    """Return the codes of what is wrong with a JSON text; empty when nothing is."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"not_utf8"}
    found: set[str] = set()

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in members}) < len(members):
            found.add("duplicate_key")
        return dict(members)

    def constant(_: str) -> float:
        found.add("not_finite")
        return 0.0

    def number(token: str) -> float:
        if sum(character.isdigit() for character in token) > _MOST_DIGITS:
            found.add("out_of_range")
        elif math.isinf(float(token)):
            found.add("not_finite")
        return 0.0

    try:
        value = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=constant,
            parse_float=number,
            parse_int=number,
        )
        _check_texts(value)
    except RecursionError:
        return {"too_deep"}
    except ValueError:
        return {"invalid_json"}
    except _RefusedError as refused:
        return {refused.code}
    return {"too_deep"} if _depth(value) > max_depth else found


def _check_texts(value: Any) -> None:
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise _RefusedError("invalid_json") from None
        case dict():
            for key, member in value.items():
                _check_texts(key)
                _check_texts(member)
        case list():
            for item in value:
                _check_texts(item)
        case _:
            pass


def _depth(value: Any) -> int:
    match value:
        case dict():
            return 1 + max((_depth(member) for member in value.values()), default=0)
        case list():
            return 1 + max((_depth(item) for item in value), default=0)
        case _:
            return 0


_TOKENS = st.sampled_from(
    [
        *("{", "}", "[", "]", ",", ":", " ", "\n", "\t", "\r", "\f", "\u00a0", "\0"),
        *('"a"', '"b"', '"a"', '"\\u0061"', '""', '"\\u003a"', '"x:y"', '"\\""', '"\\\\"'),
        *('"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"', '"\\ud83d\\u0041"', '"\\\\ud83d"'),
        *('"é"', '"]"', '"[["', '"{"', '"\n"', '"\\x"', '"\\u12"', '"', "'a'", '"\\/"'),
        *("0", "-0", "1", "-1", "01", "1.5", "1.", ".5", "1e5", "1E+5", "1e", "1e999", "-1e999"),
        *("1e-999", "1" * 100, "1" * 101, "0." + "3" * 99, "0." + "3" * 100, "-", "+1"),
        *("true", "false", "null", "tru", "True", "NaN", "Infinity", "-Infinity", "nan", "//"),
        *('"a":1', '"a":1,"a":2', '"a" : 1 , "b":2', '{"a":1}', "[1,2]", '{"a":{"a":1}}'),
    ]
)

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside, max_size=3)
    ),
    max_leaves=8,
)

_styles = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"separators": (" , ", " : ")},
        {"indent": 1},
        {"ensure_ascii": False},
    ]
)

#: Valid JSON texts in several styles of writing.
json_documents: st.SearchStrategy[bytes] = st.builds(
    lambda value, style: json.dumps(value, **style).encode("utf-8", "surrogatepass"),
    _values,
    _styles,
)

#: Tokens in a row: mostly no JSON, but near it.
nearly_json: st.SearchStrategy[bytes] = st.lists(_TOKENS, max_size=12).map(
    lambda tokens: "".join(tokens).encode()
)


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[bytes]) -> bytes:
    """Give a document in which a piece was replaced by a token, by bytes, or by another piece."""
    data = draw(documents)
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 4)))
    new = draw(
        st.binary(max_size=3) | _TOKENS.map(str.encode) | st.just(data[: draw(st.integers(0, 9))])
    )
    return data[:start] + new + data[end:]
