"""A body is decompressed as it comes, and never further than its limit."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.errors import NoRetry
from inboxd_http.bodies import BodyError, Decoder


def bare(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "X-GZIP": lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    "deflate": zlib.compress,
    " Deflate ": bare,
}


@pytest.mark.parametrize("encoding", ENCODERS)
@given(data=st.binary(max_size=300_000), size=st.integers(1, 5000))
def test_what_was_encoded_comes_out_again_whatever_its_pieces(
    encoding: str, data: bytes, size: int
) -> None:
    encoded = ENCODERS[encoding](data)
    decoder = Decoder(encoding, max_bytes=len(data))
    found = bytearray()
    for begin in range(0, len(encoded), size):
        for piece in decoder.feed(encoded[begin : begin + size]):
            found += piece
    decoder.end()

    assert (bytes(found), decoder.size) == (data, len(data))


def test_much_that_comes_out_of_one_piece_comes_out_whole() -> None:
    data = bytes(3_000_000)
    decoder = Decoder("gzip", max_bytes=len(data))
    sizes = [len(piece) for piece in decoder.feed(gzip.compress(data))]
    decoder.end()

    assert (sum(sizes), max(sizes)) == (len(data), 65536)


def test_a_bomb_takes_no_more_memory_than_its_limit() -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    decoder = Decoder("gzip", max_bytes=100_000)
    tracemalloc.start()
    try:
        with pytest.raises(NoRetry, match="larger than the 100,000 bytes that are allowed"):
            for _ in decoder.feed(bomb):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * len(bomb) + 1_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_no_body_at_all_is_no_cut_one(encoding: str) -> None:
    decoder = Decoder(encoding, max_bytes=0)
    decoder.end()

    assert decoder.size == 0


@pytest.mark.parametrize(
    ("encoding", "data", "message"),
    [
        ("gzip", gzip.compress(b"abc", mtime=0)[:-3], "cut off"),
        ("gzip", b"not gzip at all", "cannot be decompressed"),
        ("gzip", gzip.compress(b"abc", mtime=0) + b"and more", "cannot be decompressed"),
        ("deflate", zlib.compress(b"abc") + b"and more", "goes on"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_an_error(
    encoding: str, data: bytes, message: str
) -> None:
    decoder = Decoder(encoding, max_bytes=1000)

    def read() -> None:
        for _ in decoder.feed(data):
            pass
        decoder.end()

    with pytest.raises(BodyError, match=message):
        read()


def test_an_encoding_that_nobody_asked_for_is_refused() -> None:
    with pytest.raises(BodyError, match='encoded as "br", unasked'):
        Decoder("br", max_bytes=10)
