"""
Pure: a body that comes in pieces, decompressed and counted as it comes.

The limit is on what comes out, and no piece is decompressed further than it: so a gzip of zeros
takes no more memory than an honest body.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from inboxd.errors import NoRetry
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ACCEPTED_ENCODINGS", "BodyError", "Decoder"]

#: What `Accept-Encoding` says.
ACCEPTED_ENCODINGS = "gzip, deflate"
#: At most so much comes out at a time.
_PIECE = 64 * 1024


class BodyError(Exception):
    """A body is not what its headers say; another attempt may get a better one."""


class Decoder:
    """Takes the pieces of one body."""

    def __init__(self, encoding: str, *, max_bytes: int) -> None:
        """
        Args:
            encoding: the header `Content-Encoding`; empty for none.
            max_bytes: of the decoded body.

        Raises:
            BodyError: nobody asked for this encoding.
        """
        self._name = encoding.strip().lower()
        self._max_bytes = max_bytes
        self._inflate = None
        self._has_data = False
        #: Decoded bytes so far.
        self.size = 0
        if self._name in ("gzip", "x-gzip"):
            self._inflate = zlib.decompressobj(wbits=31)
        elif self._name not in ("", "identity", "deflate"):
            shown = escaped(encoding) if len(encoding) <= 40 else "a long word"
            raise BodyError(f'the body is encoded as "{shown}", unasked')

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Yield what a piece gives, decoded, in pieces of 64 KiB at most.

        Raises:
            NoRetry: the body is larger than allowed.
            BodyError: it cannot be decompressed.
        """
        self._has_data = self._has_data or bool(data)
        if self._name == "deflate" and self._inflate is None and data:
            # RFC 9110, 8.4.1.2 says zlib's form; some servers send the bare stream.
            has_header = data[0] & 0x0F == 8 and data[0] >> 4 <= 7
            self._inflate = zlib.decompressobj(wbits=15 if has_header else -15)
        if self._inflate is None:
            self._count(len(data))
            yield data
            return
        while True:
            if self._inflate.eof:
                if not data:
                    return
                if self._name == "deflate":
                    raise BodyError("the body goes on after its compressed part")
                self._inflate = zlib.decompressobj(wbits=31)  # gzip may have several members
            try:
                piece = self._inflate.decompress(data, _PIECE)
            except zlib.error as error:
                raise BodyError(f"the body cannot be decompressed: {error}") from None
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                self._count(len(piece))
                yield piece
            if not data and len(piece) < _PIECE:  # else zlib may hold more of what it was given
                return

    def end(self) -> None:
        """
        Say that no more comes.

        Raises:
            BodyError: the compressed body is cut off.
        """
        if self._inflate is not None and self._has_data and not self._inflate.eof:
            raise BodyError("the compressed body is cut off")

    def _count(self, count: int) -> None:
        self.size += count
        if self.size > self._max_bytes:
            raise NoRetry(f"the body is larger than the {self._max_bytes:,} bytes that are allowed")
