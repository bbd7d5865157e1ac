"""
The result of a tree as a JSON document, written as it is read, so that its size costs no memory.

Results and errors lie in the store as JSON and are copied as bytes, never decoded.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, select

from inboxd.clock import from_micros, rfc3339, rfc3339_micros
from inboxd.names import display_file_name
from inboxd.store.statements import fetch
from inboxd.store.tables import STATUS_OF_STATE, tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Row

    from inboxd.store.reader import StoreReader
    from inboxd.store.views import TreeView

__all__ = [
    "result_document_pieces",
    "small_result_documents",
    "tree_header",
    "write_result_document",
]

_ROWS = (
    select(
        tasks.c.id,
        tasks.c.local_id,
        tasks.c.name,
        tasks.c.state,
        tasks.c.result,
        tasks.c.error,
        tasks.c.attempt,
        tasks.c.started_at,
        tasks.c.ended_at,
    )
    .where(tasks.c.id >= bindparam("start"), tasks.c.id < bindparam("end"))
    .order_by(tasks.c.id)
)

_SMALL_ROWS = """
SELECT id, local_id, name, state, result, error, attempt, started_at, ended_at
FROM tasks WHERE id >= ? AND id < ? ORDER BY id
"""

#: A page ends at the first of these. A result may have 1 MiB, so rows alone would bound nothing.
_PAGE_ROWS = 2_000
_PAGE_BYTES = 4 * 1024 * 1024
_PAGE_SECONDS = 0.3

#: Rows fetched at a time within a page: what a page may be larger than its bound by.
_STEP = 16

_STATUS = {state: f'"{status}"'.encode() for state, status in STATUS_OF_STATE.items()}

_encode = msgspec.json.encode


def write_result_document(
    reader: StoreReader, tree: TreeView, write: Callable[[bytes], object]
) -> None:
    """
    Write the tree's result document (docs/explanation/intake.md), one task a line.

    The header is *tree* as it was read; the tasks are read now, a page to a transaction, so that
    those of a tree that still runs may be newer than the counts and than one another.
    Memory: one page, about 4 MiB, plus at most 16 results.

    Args:
        reader: the store.
        tree: as the reader gave it.
        write: gets the document in pieces, in order; UTF-8.

    Raises:
        StoreError: the store cannot be read; what was written is no whole document.
    """
    for piece in result_document_pieces(reader, tree):
        write(piece)


def result_document_pieces(reader: StoreReader, tree: TreeView) -> Iterator[bytes]:
    """
    Give the document of `write_result_document` in pieces; between two no transaction is open.

    Raises:
        StoreError: as there.
    """
    header = _encode(tree_header(tree))
    yield header[:-1] + b',"tasks":['
    separator = b"\n"
    for page in _pages(reader, tree):
        yield separator + b",\n".join(page)
        separator = b",\n"
    yield b"\n]}\n"


def small_result_documents(reader: StoreReader, trees: Iterable[TreeView]) -> dict[int, bytes]:
    """
    Return the result documents of many small trees, by the trees' numbers, in one transaction.

    Where ten thousand trees of one task end, a transaction each would cost more than all the rest.
    Left out are trees of more than 16 tasks, and whatever comes after 4 MiB or 0.3 s: those are for
    `write_result_document`.

    Raises:
        StoreError: the store cannot be read.
    """
    documents: dict[int, bytes] = {}
    size = 0
    with reader.transaction() as connection:
        deadline = time.monotonic() + _PAGE_SECONDS
        for tree in trees:
            if tree.counts.total > _STEP:
                continue
            if size >= _PAGE_BYTES or time.monotonic() >= deadline:
                break
            end = tree.first_task + tree.counts.total
            rows = fetch(connection, _SMALL_ROWS, (tree.first_task, end))
            header = _encode(tree_header(tree))
            document = b'%b,"tasks":[\n%b\n]}\n' % (
                header[:-1],
                b",\n".join([_task(row) for row in rows]),
            )
            documents[tree.number] = document
            size += len(document)
    return documents


def tree_header(tree: TreeView) -> dict[str, Any]:
    """Return the fields of a result document that come before `tasks`, in order."""
    return {
        "format": 1,
        "file": None if tree.file_name is None else display_file_name(tree.file_name),
        "tree_id": tree.id,
        "name": tree.name,
        "status": tree.status,
        "counts": tree.counts,
        "started_at": rfc3339_micros(tree.started_at),
        "ended_at": rfc3339_micros(tree.ended_at),
    }


def _pages(reader: StoreReader, tree: TreeView) -> Iterator[list[bytes]]:
    start = tree.first_task
    end = start + tree.counts.total
    while start < end:
        page: list[bytes] = []
        size = 0
        with reader.transaction() as connection:
            deadline = time.monotonic() + _PAGE_SECONDS
            cursor = connection.execute(
                _ROWS, {"start": start, "end": min(end, start + _PAGE_ROWS)}
            )
            for rows in cursor.partitions(_STEP):
                for row in rows:
                    page.append(_task(row))
                    size += len(page[-1])
                start = rows[-1].id + 1
                if size >= _PAGE_BYTES or time.monotonic() >= deadline:
                    break
            cursor.close()
        if not page:
            return
        yield page


def _task(row: Row[*tuple[Any, ...]] | tuple[Any, ...]) -> bytes:
    _, local_id, name, state, result, error, attempt, started_at, ended_at = row
    identifier = _encode(local_id)
    return b'{"id":%b,"name":%b,"status":%b,"result":%b,"error":%b,"attempts":%d,%b' % (
        identifier,
        identifier if name is None else _encode(name),
        _STATUS[state],
        b"null" if result is None else result.encode(),
        b"null" if error is None else error.encode(),
        attempt,
        b'"started_at":%b,"ended_at":%b}' % (_time(started_at), _time(ended_at)),
    )


def _time(value: int | None) -> bytes:
    if value is None:
        return b"null"
    second, microseconds = divmod(value, 1_000_000)
    return b'"%b.%06dZ"' % (_second(second), microseconds)


@lru_cache(maxsize=4_096)
def _second(second: int) -> bytes:
    """Return the time up to its seconds; tasks of one tree share few, and this is the slow part."""
    return rfc3339(from_micros(second * 1_000_000))[:19].encode()
