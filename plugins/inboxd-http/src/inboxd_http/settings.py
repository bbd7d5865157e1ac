"""`[executors.http]`: what an operator decides about requests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxd.config.quantities import parse_duration, parse_size
from inboxd.names import did_you_mean
from inboxd_http.addresses import AddressPolicy, Network, parse_network
from inboxd_http.targets import plain_host

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["HttpSettings", "read_settings"]

_HEADER_TEXT = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Every setting with its default; the sentences are those of the README."""

    #: Which schemes a URL may have; `"http"` is neither encrypted nor safe from a changed answer.
    schemes: tuple[str, ...] = ("https",)
    #: Patterns of the host names that may be asked at all.
    hosts: tuple[str, ...] = ("*",)
    #: Whether private, loopback and shared (100.64.0.0/10) addresses may be asked.
    allow_private: bool = False
    #: Names (patterns) and networks that may be asked though they are private; link-local and
    #: metadata addresses only as a network.
    allow_hosts: tuple[str, ...] = ()
    #: The most bytes of a body, decoded, that a result may hold.
    max_bytes: int = 1024**2
    #: The most bytes of a body, decoded, that `save_to` may write.
    max_saved_bytes: int = 1024**3
    #: The time limit of a request with its redirects and its body, where the task sets none.
    timeout: float = 30.0
    #: A `Retry-After` of more than this counts as this.
    max_retry_after: float = 3600.0
    #: How many requests are made at a time; the others wait, which counts toward no `timeout`.
    connections: int = 100
    #: A file of certificates (PEM) that are trusted besides the system's.
    ca_file: str | None = None
    #: Where the files of secrets lie; besides it `$CREDENTIALS_DIRECTORY`.
    secrets_directory: str | None = None
    #: Patterns of the daemon's variables that a task may name as a secret.
    secret_variables: tuple[str, ...] = ()
    #: What `User-Agent` says.
    user_agent: str = "inboxd-http/0.1"
    #: Made from the above.
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    #: Of `allow_hosts` what is no network.
    allowed_names: tuple[str, ...] = ()


_MADE = frozenset({"addresses", "allowed_names"})


def read_settings(options: Mapping[str, Any]) -> HttpSettings:
    """
    Return the settings that a table of the configuration says.

    Raises:
        ValueError: one cannot be used; the text names it and says what is wanted.
    """
    known = [one.name for one in fields(HttpSettings) if one.name not in _MADE]
    values: dict[str, Any] = {}
    for name, value in options.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise ValueError(
                f'there is no setting "{name}"; {hint or "there are " + ", ".join(known)}'
            )
        try:
            values[name] = _READERS[name](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    networks: list[Network] = []
    names: list[str] = []
    for text in values.get("allow_hosts", ()):
        network = parse_network(text)
        if network is None:
            names.append(text)
        else:
            networks.append(network)
    return HttpSettings(
        **values,
        allowed_names=tuple(names),
        addresses=AddressPolicy(
            allow_private=values.get("allow_private", False), networks=tuple(networks)
        ),
    )


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("must be a list of texts")  # noqa: TRY004 # one kind of error for a wrong value
    found: list[str] = []
    for one in value:  # pyright: ignore[reportUnknownVariableType] # of TOML
        if not isinstance(one, str) or not one:
            raise ValueError("must be a list of texts, none of them empty")
        found.append(one)
    return tuple(found)


def _names(value: Any) -> tuple[str, ...]:
    texts = tuple(plain_host(text) for text in _texts(value))
    for text in texts:
        if "://" in text or ("/" in text and parse_network(text) is None):
            raise ValueError(f'must hold names and networks, not "{text}"')
    return texts


def _schemes(value: Any) -> tuple[str, ...]:
    texts = _texts(value)
    if not texts or set(texts) - {"http", "https"}:
        raise ValueError('must be ["https"], ["http", "https"] or ["http"]')
    return texts


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 # one kind of error for a wrong value
    return value


def _duration(value: Any) -> float:
    seconds = parse_duration(value)
    if not seconds:
        raise ValueError("must be more than 0")
    return seconds


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10_000:
        raise ValueError("must be a whole number from 1 to 10000")
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not Path(value).is_absolute() or "\0" in value:
        raise ValueError("must be an absolute path")
    return value


def _header_text(value: Any) -> str:
    if not isinstance(value, str) or not value or _HEADER_TEXT.fullmatch(value) is None:
        raise ValueError("must be one line of plain ASCII")
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "schemes": _schemes,
    "hosts": _names,
    "allow_private": _flag,
    "allow_hosts": _names,
    "max_bytes": parse_size,
    "max_saved_bytes": parse_size,
    "timeout": _duration,
    "max_retry_after": _duration,
    "connections": _count,
    "ca_file": _path,
    "secrets_directory": _path,
    "secret_variables": _texts,
    "user_agent": _header_text,
}
