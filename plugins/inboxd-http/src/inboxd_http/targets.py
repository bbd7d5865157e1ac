"""Pure: whether a request may go to a URL, before anything is resolved."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from inboxd.names import escaped
from inboxd_http.addresses import parse_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inboxd_http.settings import HttpSettings

__all__ = ["matches", "plain_host", "target_problem"]

_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
#: Of a name, and of each part of it (RFC 1035, 2.3.4).
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_CANONICAL_IPV4 = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


def plain_host(host: str) -> str:
    """Return a host as hosts are compared: ASCII, in lower case, without a dot at the end."""
    plain = host.lower().rstrip(".")
    if plain.isascii():
        return plain
    try:
        return plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


def matches(host: str, patterns: Iterable[str]) -> bool:
    """Return whether a host is one of some patterns."""
    return any(fnmatchcase(plain_host(host), pattern) for pattern in patterns)


def target_problem(scheme: str, host: str, settings: HttpSettings) -> tuple[str, str] | None:
    """
    Return what forbids requests to a host, and what to do; None: they may be tried.

    Args:
        scheme: in lower case.
        host: without brackets and port; an international name in its ASCII form.
        settings: `[executors.http]`.
    """
    shown = escaped(host) if len(host) <= _LONGEST_NAME else "a very long name"
    if scheme not in ("http", "https"):
        return f'there are no requests by "{escaped(scheme)[:40]}"', "use an https URL"
    if scheme not in settings.schemes:
        return (
            f"{scheme} is not allowed here",
            f'use {settings.schemes[0]}, or let an operator add "{scheme}" to schemes'
            " in [executors.http]",
        )
    if not host or any(character in host for character in " /\\@?#"):
        return f'"{shown}" is no host', "write https://HOST/PATH"
    if "%" in host and parse_address(host) is None:
        return f'"{shown}" is no host', "write its name without escapes"
    if ":" not in host and not _is_name(host.removesuffix(".")):
        return (
            f'"{shown}" is no host',
            "no part of a name is empty, or over 63 characters long",
        )
    last = plain_host(host).rpartition(".")[2]
    if ":" not in host and _NUMBER.fullmatch(last) and _ipv4(host) is None:
        # The C library reads 0x7f.1, 017700000001 and 2130706433 as 127.0.0.1.
        return f'"{shown}" is an address written in an unusual way', "write it as four numbers"
    if not matches(host, settings.hosts):
        return (
            f'requests to "{shown}" are not allowed here',
            "let an operator add it to hosts in [executors.http]",
        )
    return None


def _is_name(host: str) -> bool:
    """Return whether the parts of a name have lengths that DNS takes, and can be decoded."""
    if len(host) > _LONGEST_NAME:
        return False
    for label in host.lower().split("."):
        if not 0 < len(label) <= _LONGEST_LABEL:
            return False
        if label.startswith("xn--"):
            try:
                is_text = bool(label[4:].encode("ascii").decode("punycode"))
            except UnicodeError:
                is_text = False
            if not is_text:
                return False
    return True


def _ipv4(host: str) -> IPv4Address | None:
    if _CANONICAL_IPV4.fullmatch(host) is None:
        return None
    address = parse_address(host)
    return address if isinstance(address, IPv4Address) else None
