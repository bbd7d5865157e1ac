"""The output of an attempt: byte for byte in a pipe, harmless on a terminal, whole as JSON."""

from __future__ import annotations

import io
import json
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from inboxd.cli.render.log_output import JsonOutput, PlainOutput
from inboxd.names import escaped
from inboxd.running.logs import Dropped


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


PIECES = st.lists(st.tuples(st.sampled_from(("stdout", "stderr")), st.binary(min_size=1)))


@given(PIECES)
def test_a_pipe_gets_the_bytes_as_they_were_written(
    pieces: list[tuple[Literal["stdout", "stderr"], bytes]],
) -> None:
    out = io.BytesIO()
    output = PlainOutput(headings=True, out=out, err=io.StringIO())
    for stream, piece in pieces:
        output.write(stream, piece)
    output.close()

    assert out.getvalue() == b"".join(piece for _, piece in pieces)


@given(PIECES)
def test_a_terminal_gets_nothing_that_acts_on_it(
    pieces: list[tuple[Literal["stdout", "stderr"], bytes]],
) -> None:
    out = Terminal()
    output = PlainOutput(headings=False, out=out, err=io.StringIO())
    for stream, piece in pieces:
        output.write(stream, piece)
    output.close()
    text = out.getvalue().decode()

    assert text == escaped(text, keep_newlines=True)


@given(st.text(), st.integers(1, 7))
def test_text_cut_anywhere_is_whole_on_a_terminal_and_as_json(text: str, size: int) -> None:
    data = text.encode("utf-8", "replace")
    terminal, pipe = Terminal(), io.BytesIO()
    plain, lines = PlainOutput(headings=False, out=terminal, err=io.StringIO()), JsonOutput(pipe)
    for start in range(0, len(data), size):
        plain.write("stdout", data[start : start + size])
        lines.write("stdout", data[start : start + size])
    plain.close()
    lines.close()
    documents = [json.loads(line) for line in pipe.getvalue().splitlines()]

    assert "".join(document["text"] for document in documents) == data.decode()
    if "\r" not in text:
        assert terminal.getvalue().decode() == escaped(data.decode(), keep_newlines=True)


def test_the_stream_is_named_where_it_changes() -> None:
    err = io.StringIO()
    output = PlainOutput(headings=False, out=io.BytesIO(), err=err)
    output.write("stdout", b"a\n")
    output.write("stderr", b"b\n")
    output.write("stderr", b"c\n")

    assert err.getvalue() == "==> stderr <==\n"


def test_what_was_not_kept_is_said_beside_the_data() -> None:
    out, err = io.BytesIO(), io.StringIO()
    output = PlainOutput(headings=False, out=out, err=err)
    output.write("stdout", b"first")
    output.write("stdout", Dropped(1_048_576))
    output.write("stdout", b"last")

    assert (out.getvalue(), err.getvalue()) == (
        b"firstlast",
        "… 1,048,576 bytes were not kept here\n",
    )


def test_a_heading_on_a_terminal_begins_a_line() -> None:
    err = io.StringIO()
    output = PlainOutput(headings=False, out=Terminal(), err=err)
    output.write("stdout", b"no newline")
    output.write("stderr", b"b")

    assert err.getvalue() == "\n==> stderr <==\n"


def test_json_has_a_line_for_each_piece() -> None:
    out = io.BytesIO()
    output = JsonOutput(out)
    output.write("stdout", b"a\xff\n")
    output.write("stdout", Dropped(7))
    output.write("stderr", b"\xc3")
    output.close()

    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"stream": "stdout", "text": "a\ufffd\n"},
        {"stream": "stdout", "dropped_bytes": 7},
        {"stream": "stderr", "text": "\ufffd"},
    ]
