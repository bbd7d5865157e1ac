"""Pure: a body and its headers as the JSON value that is the result of a task."""

from __future__ import annotations

import base64
import codecs
import re
from typing import TYPE_CHECKING, Any

import msgspec

from inboxd_http.bodies import BodyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["body_entry", "header_table", "text_of"]

#: Encodings of text; Python has others (idna, unicode_escape) that are slow or do more.
_TEXT_ENCODING = re.compile(
    r"utf-(8|16|32)(-[bl]e)?|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-roman"
    r"|gb2312|gbk|gb18030|big5|shift_jis|euc_(jp|kr)|iso2022_(jp|kr)|tis-620"
)
_JSON_TYPE = re.compile(r"application/([\w.+-]+\+)?json")


def header_table(headers: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """
    Return headers by their names in lower case.

    Several of one name are joined by a comma, as RFC 9110, 5.3 has it; `set-cookie`, which that
    excepts, is always a list.
    """
    table: dict[str, Any] = {}
    for name, value in headers:
        # aiohttp gives bytes that are no UTF-8 as lone surrogates, which no JSON holds.
        text = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        key = name.lower()
        if key == "set-cookie":
            table.setdefault(key, []).append(text)
        else:
            table[key] = f"{table[key]}, {text}" if key in table else text
    return table


def body_entry(
    data: bytes,
    *,
    response: str,
    media_type: str,
    charset: str | None,
    hide: Callable[[bytes], bytes] = bytes,
) -> Any:
    """
    Return the body as an entry of the result: (`json`, `text` or `base64`, its value).

    Args:
        data: the whole body, decompressed.
        response: the input of this name.
        media_type: of the header `Content-Type`, in lower case, without parameters.
        charset: the parameter of that name.
        hide: takes what is secret out of a body that becomes base64, where nobody finds it later.

    Raises:
        BodyError: `response` asks for json or text, and it is none.
    """
    if response == "base64":
        return "base64", base64.b64encode(hide(data)).decode()
    if response == "json" or (response == "auto" and _JSON_TYPE.fullmatch(media_type) and data):
        try:
            return "json", msgspec.json.decode(data.removeprefix(codecs.BOM_UTF8))
        except RecursionError:
            if response == "json":
                raise BodyError("the body is no JSON: it is nested too deeply") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if response == "json":
                raise BodyError(f"the body is no JSON: {error}") from None
    text = text_of(data, charset)
    if text is not None and (response == "text" or "\0" not in text):
        return "text", text
    if response == "text":
        raise BodyError(f"the body is no text in {charset or 'utf-8'}")
    return "base64", base64.b64encode(hide(data)).decode()


def text_of(data: bytes, charset: str | None) -> str | None:
    """Return a body as text; None: it is none in this encoding (UTF-8 where none is said)."""
    try:
        encoding = codecs.lookup(charset or "utf-8").name
        if _TEXT_ENCODING.fullmatch(encoding) is None:
            return None
        text = data.decode(encoding)
        text.encode()  # a lone surrogate, which no JSON holds
    except (LookupError, ValueError):  # UnicodeError is one
        return None
    return text.removeprefix("\ufeff")
