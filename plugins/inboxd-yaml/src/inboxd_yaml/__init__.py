"""Task files in YAML: the hooks; what reads the text is imported when the first file comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inboxd.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["inboxd_file_suffixes", "inboxd_parse_file"]

_SUFFIXES = (".yaml", ".yml")


@hookimpl
def inboxd_file_suffixes() -> Iterable[str]:
    """Name the suffixes of YAML files."""
    return _SUFFIXES


@hookimpl
def inboxd_parse_file(path: Path, data: bytes) -> list[Any] | dict[str, Any] | None:
    """Read a YAML file; None for a file of another format."""
    if path.suffix not in _SUFFIXES:
        return None
    from inboxd_yaml.document import read_document  # PyYAML is needed by nobody before

    return read_document(data)
