"""`[plugins.audit]`, checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxd import PluginConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AuditSettings", "settings_of"]

_KEYS = ("path", "attempts", "max_bytes", "keep")
#: A smaller file would be rotated for every few lines.
_LEAST_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """What the table says."""

    #: None: nothing is recorded.
    path: Path | None = None
    attempts: bool = True
    max_bytes: int = 64 * 1024 * 1024
    keep: int = 5


def settings_of(configuration: PluginConfiguration) -> AuditSettings:
    """
    Return the settings.

    Raises:
        ValueError: one cannot be used.
    """
    options = configuration.options
    for key in options:
        if key not in _KEYS:
            raise ValueError(f'unknown key "{key}"; known are: {", ".join(_KEYS)}')
    return AuditSettings(
        path=_path(options, configuration.file),
        attempts=_flag(options, "attempts", default=True),
        max_bytes=_number(options, "max_bytes", default=64 * 1024 * 1024, least=_LEAST_BYTES),
        keep=_number(options, "keep", default=5, least=0),
    )


def _path(options: Mapping[str, Any], file: Path | None) -> Path | None:
    value = options.get("path")
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("path: must be the path of a file, in quotes")
    path = Path(value).expanduser()
    if not path.is_absolute():
        if file is None:
            raise ValueError("path: must be absolute where no configuration file says it")
        path = file.parent / path
    if not path.parent.is_dir():
        raise ValueError(f"path: there is no directory {path.parent}; make it")
    return path


def _flag(options: Mapping[str, Any], key: str, *, default: bool) -> bool:
    value = options.get(key, default)
    if not isinstance(value, bool):
        raise ValueError(f"{key}: must be true or false")  # noqa: TRY004 - one kind for all
    return value


def _number(options: Mapping[str, Any], key: str, *, default: int, least: int) -> int:
    value = options.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key}: must be a whole number, at least {least}")
    return value
