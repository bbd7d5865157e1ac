"""The JSON that the verbs print; `docs/reference/json-output.md` says what may be relied on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec

from inboxd.names import escaped
from inboxd.store.json_documents import encoded, task_document, task_line, tree_fields
from inboxd.store.result_document import tree_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from inboxd.store.views import TreeView

__all__ = [
    "encoded",
    "for_terminal",
    "task_document",
    "task_line",
    "to_stdout",
    "tree_fields",
    "write_tree_document",
]


def to_stdout() -> Callable[[bytes], object]:
    """
    Return what writes pieces of a JSON document to stdout.

    On a terminal the characters that could act on it are written as JSON's own escapes: outside of
    ASCII they stand in strings only, so the document stays the same.
    """
    stdout = sys.stdout
    if not stdout.isatty():
        return stdout.buffer.write
    return lambda piece: stdout.buffer.write(for_terminal(piece))


def for_terminal(piece: bytes) -> bytes:
    if piece.isascii():
        return piece.replace(b"\x7f", b"\\u007f")
    text = "".join(
        character if character == "\n" or escaped(character) == character else _escape(character)
        for character in piece.decode("utf-8", "replace")
    )
    return text.encode()


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[n : n + 2].hex()}" for n in range(0, len(units), 2))


def write_tree_document(
    tree: TreeView,
    lines: Iterable[bytes],
    write: Callable[[bytes], object],
    *,
    other: bytes | None,
) -> None:
    """
    Write the document of `tree`: the header of a result document, what else the envelope says,
    then *lines* as `tasks`. *other* is the envelope's `metadata` and `x-…`, as a JSON object.
    """
    kept = {} if other is None else msgspec.json.decode(other, type=dict[str, msgspec.Raw])
    header = {**tree_header(tree), "user_id": tree.user_id, "metadata": None, **kept}
    write(encoded(header)[:-1] + b',"tasks":[')
    separator = b"\n"
    for line in lines:
        write(separator + line)
        separator = b",\n"
    write(b"\n]}\n")
