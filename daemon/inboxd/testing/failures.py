"""What a test is told when something went otherwise than it should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["AttemptFailed", "FileRejected", "NotEnded"]


class FileRejected(AssertionError):
    """A file was rejected that should have run; `errors` are those of its receipt."""

    def __init__(self, errors: Sequence[Mapping[str, Any]], remark: str = "") -> None:
        """*remark* is what else may have to do with it."""
        self.errors = list(errors)
        lines = ["the file was rejected:", *map(_sentence, self.errors)]
        super().__init__("\n".join([*lines, *([remark] if remark else [])]))


class NotEnded(AssertionError):
    """Something did not happen in time; the text says what each task waits for."""


class AttemptFailed(Exception):
    """A task failed; `error` is as in the result file, with `code`, `message` and `cause`."""

    def __init__(self, error: Mapping[str, Any], log: str = "") -> None:
        """*log* is what the attempt wrote."""
        self.error = dict(error)
        self.code = str(error.get("code"))
        self.message = str(error.get("message"))
        self.log = log
        text = f"{self.code}: {self.message}"
        super().__init__(f"{text}\n{log}" if log else text)


def _sentence(error: Mapping[str, Any]) -> str:
    where = error.get("pointer") or "/"
    hint = error.get("hint")
    text = f"  {where}: {error.get('code')}: {error.get('message')}"
    return text if hint is None else f"{text}; {hint}"
