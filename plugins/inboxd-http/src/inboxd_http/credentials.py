"""Secrets: read where the inputs say they are, when an attempt starts."""

from __future__ import annotations

import base64
import os
import re
import stat
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from inboxd.errors import NoRetry
from inboxd.names import escaped
from inboxd_http.hiding import shown_forms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd_http.settings import HttpSettings

__all__ = ["Credentials", "read_credentials"]

_MOST_BYTES = 64 * 1024
#: A shorter text stands in too many places by chance.
_SHORTEST_HIDDEN = 4
_HIDDEN = "***"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The headers that hold secrets, and what must be shown nowhere."""

    headers: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    #: How the secrets may be written; the longest first, so that one inside another leaves no rest.
    _forms: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        forms = set[str]().union(*map(shown_forms, self.secrets))
        object.__setattr__(self, "_forms", tuple(sorted(forms, key=len, reverse=True)))

    @property
    def longest_bytes(self) -> int:
        """How many bytes of UTF-8 a secret takes at the most, however it is written."""
        return max((len(form.encode()) for form in self._forms), default=0)

    def hidden(self, text: str) -> str:
        """Return a text with `***` for every secret in it."""
        for form in self._forms:
            if form in text:  # for many short texts twice as fast as replacing nothing
                text = text.replace(form, _HIDDEN)
        return text

    def hidden_bytes(self, data: bytes) -> bytes:
        """Return bytes with `***` for every secret in them that is written as UTF-8."""
        for form in self._forms:
            data = data.replace(form.encode(), _HIDDEN.encode())
        return data

    def hidden_in(self, value: Any) -> Any:
        """Return a JSON value with `***` for every secret in its strings; as deep as JSON was."""
        if not self.secrets:
            return value
        if isinstance(value, str):
            return self.hidden(value)
        if _is_object(value):
            return {self.hidden(key): self.hidden_in(one) for key, one in value.items()}
        if _is_array(value):
            return [self.hidden_in(one) for one in value]
        return value


def read_credentials(
    auth: Mapping[str, Any],
    settings: HttpSettings,
    *,
    environ: Mapping[str, str],
    results: Mapping[str, Any],
) -> Credentials:
    """
    Return the credentials that `auth` names.

    Args:
        auth: as `inputs` have it, without a problem.
        settings: which variables and which directory may be read.
        environ: the daemon's environment.
        results: of the tasks that this one depends on; looked at for `result_of` only.

    Raises:
        NoRetry: one is not there or may not be read; the text names where, and no secret.
    """

    def read(secret: Mapping[str, str]) -> str:
        return _read(secret, settings, environ, results)

    if "bearer" in auth:
        token = read(auth["bearer"])
        return _credentials([("Authorization", f"Bearer {token}")], [token])
    if "basic" in auth:
        password = read(auth["basic"]["password"])
        pair = f"{auth['basic']['user']}:{password}".encode()
        word = base64.b64encode(pair).decode()
        return _credentials([("Authorization", f"Basic {word}")], [password, word])
    headers = [(name, read(secret)) for name, secret in auth.get("header", {}).items()]
    return _credentials(headers, [value for _, value in headers])


def _credentials(headers: list[tuple[str, str]], secrets: list[str]) -> Credentials:
    hidden = {secret for secret in secrets if len(secret) >= _SHORTEST_HIDDEN}
    return Credentials(headers=tuple(headers), secrets=tuple(sorted(hidden)))


def _read(
    secret: Mapping[str, str],
    settings: HttpSettings,
    environ: Mapping[str, str],
    results: Mapping[str, Any],
) -> str:
    if "env" in secret:
        where = f"variable {secret['env']}"
        value = _variable(secret["env"], settings, environ)
    elif "file" in secret:
        where = f"secret file {escaped(secret['file'])}"
        value = _file(secret["file"], settings, environ)
    else:
        where = f'the result of "{escaped(secret["result_of"])}"'
        value = _pointed_at(results, secret["result_of"], secret.get("pointer", ""))
    if not value:
        raise NoRetry(f"auth: {where} is empty")
    if _CONTROL.search(value):
        raise NoRetry(f"auth: {where} holds more than one line, or a control character")
    try:
        value.encode()
    except UnicodeEncodeError:  # a variable whose bytes are none
        raise NoRetry(f"auth: {where} is no UTF-8 text") from None
    return value


def _variable(name: str, settings: HttpSettings, environ: Mapping[str, str]) -> str:
    if not any(fnmatchcase(name, pattern) for pattern in settings.secret_variables):
        raise NoRetry(
            f"auth: variable {name} may not be read; an operator allows it by"
            " secret_variables in [executors.http]"
        )
    if name not in environ:
        raise NoRetry(f"auth: the daemon has no variable {name}; set it in the daemon's unit")
    return environ[name]


def _file(name: str, settings: HttpSettings, environ: Mapping[str, str]) -> str:
    own = settings.secrets_directory
    given = environ.get("CREDENTIALS_DIRECTORY")
    if own is None and given is None:
        raise NoRetry(
            "auth: there is no directory of secrets; an operator names it by secrets_directory"
            " in [executors.http], or gives credentials to the unit (LoadCredential=)"
        )
    if own is not None and (text := _file_text(Path(own, name), is_ours=True)) is not None:
        return text
    # systemd keeps its credentials from others itself, and shows their access list as group's.
    if given is not None and (text := _file_text(Path(given, name), is_ours=False)) is not None:
        return text
    raise NoRetry(f"auth: there is no secret file {escaped(name)}; an operator puts it there")


def _file_text(path: Path, *, is_ours: bool) -> str | None:
    """Return what a secret's file holds, without the newline at its end; None: it is not there."""
    shown = escaped(path.name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NoRetry(f"auth: secret file {shown} cannot be read: {error.strerror}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)  # before a file object, which a directory cannot be
        raise NoRetry(f"auth: secret file {shown} is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        if is_ours and (status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0)):
            raise NoRetry(
                f"auth: secret file {shown} is not the daemon's alone: chmod 600 and chown it"
            )
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise NoRetry(f"auth: secret file {shown} is larger than {_MOST_BYTES:,} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise NoRetry(f"auth: secret file {shown} is no UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")


def _pointed_at(results: Mapping[str, Any], task: str, pointer: str) -> str:
    """Return the string that a JSON pointer (RFC 6901) finds in the result of a task."""
    where = f'auth: {escaped(pointer) or "the top"} in the result of "{escaped(task)}"'
    try:
        value: Any = results[task]
    except KeyError:
        raise NoRetry(
            f'auth: this task does not depend on "{escaped(task)}": add it to dependencies'
        ) from None
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if _is_object(value) and key in value:
            value = value[key]
        elif _is_array(value) and key.isdecimal() and len(key) < 10 and int(key) < len(value):
            value = value[int(key)]
        else:
            raise NoRetry(f"{where}: there is nothing")
    if not isinstance(value, str):
        raise NoRetry(f"{where} is no text")
    return value


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_array(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
