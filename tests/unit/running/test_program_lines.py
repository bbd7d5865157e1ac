"""What a program says by the line protocol, however it says it."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.running.command_outcome import CommandEnd
from inboxd.running.program_lines import MOST_LINES_A_LOOK, ProgramError, ProgramLines
from inboxd.running.program_outcome import program_outcome
from inboxd.task import Completed, Failed, TaskErrorCode

from .runner_bed import failed

if TYPE_CHECKING:
    from inboxd.task import Outcome

LARGE = 1 << 20
MONTH = 30 * 86400.0


def read(path: Path, data: bytes, *, max_result_bytes: int = LARGE) -> ProgramLines:
    file = path / "out"
    file.write_bytes(data)
    lines = ProgramLines(max_result_bytes=max_result_bytes)
    lines.look(file, is_over=True)
    return lines


def outcome_of(path: Path, data: bytes, *, status: int = 0, stderr: bytes = b"") -> Outcome:
    end = CommandEnd(status=status, stderr=stderr)
    return program_outcome(end, read(path, data), max_result_bytes=LARGE)


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (b'{"result": 1}\n', b"1"),
        (b'{"result": 1}', b"1"),
        (b'  \t{"result": [1, {"a": null}]}\r\n', b'[1,{"a":null}]'),
        (b'hello\n{"progress": 0.5}\n{"result": "x"}\nbye', b'"x"'),
        (b'{"result": null}\n', b"null"),
        (b'{"result": {"a": 1, "a": 2}}\n', b'{"a":2}'),
        (b'{"x-mine": {"result": 2}}\n{"result": 1}\n', b"1"),
        (b'{oops\n{"result": 1}\n', b"1"),
        (b'\xff\xfe\x00\n{"result": 1}\n', b"1"),
        (b'[{"result": 2}]\n {"result": 1}\n', b"1"),
        (b'\xef\xbb\xbf{"result": 1}\n', b"1"),
        (b'{\n "result": 2\n}\n{"result": 1}\n', b"1"),
    ],
)
def test_a_result_line_is_the_result(tmp_path: Path, data: bytes, result: bytes) -> None:
    assert outcome_of(tmp_path, data) == Completed(result=result)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"done\n",
        b'{"progress": 1}\n',
        b'{"log": "hello", "level": "info"}\n',
        b'{"reslut": 1}\n',
        b'{"level": "info"}\n"result": 1\n',
        b'{\n "level": "info",\n "results": 2\n}\n',
        b"{ a banner }\n{" + b"[" * 100_000 + b"\n",
        b'{"level": "info", "text": "one of many"}\n' * 200_000,
        b'[1]\n7\n"{"\n',
        b"\0\0\0\n\xff",
        b"   \n\n\t",
    ],
)
def test_success_without_a_result_line_gives_null(tmp_path: Path, data: bytes) -> None:
    assert outcome_of(tmp_path, data) == Completed()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"result": 1}\n{"result": 2}\n', "there are 2 results, in lines of stdout;"),
        (b"{'result': 1}\n", "begins with { and is no JSON: {'result': 1}"),
        (b'{"result": 1', 'begins with { and is no JSON: {"result": 1'),
        (b'{"result": NaN}\n', "begins with { and is no JSON"),
        (b'{"result": "\xff"}\n', "begins with { and is no JSON"),
        (b'{"result": "\\ud800"}\n', "begins with { and is no JSON"),
        (b'{"result": "a\0b"}\n', "begins with { and is no JSON"),
        (b'{"result": ' + b"[" * 100_000 + b"\n", "begins with { and is no JSON"),
        (b'{\n  "result": {"a": 1}\n}\n', 'over several lines: "result": {"a": 1}; print it on'),
        (b'\xef\xbb\xbf{\r\n\t"error" : 1\r\n}', 'several lines: "error" : 1'),
        (b'{"n": 1,\n"result": "\x1b"}', 'several lines: "result": "\\x1b"'),
        (b"{result \x1b[2J\n", r"begins with { and is no JSON: {result \x1b[2J"),
    ],
)
def test_a_result_that_cannot_be_taken_is_no_success(
    tmp_path: Path, data: bytes, message: str
) -> None:
    outcome = failed(outcome_of(tmp_path, data))

    assert outcome.error.code == TaskErrorCode.INVALID_RESULT
    assert message in outcome.error.message
    assert outcome.retryable


def test_a_result_over_the_limit_is_too_large(tmp_path: Path) -> None:
    outcome = failed(outcome_of(tmp_path, b'{"result": "' + b"x" * LARGE + b'"}\n'))

    assert outcome.error.code == TaskErrorCode.RESULT_TOO_LARGE
    assert "the result is 1,048,578 bytes" in outcome.error.message


@pytest.mark.parametrize("end", [b"\n", b"", b'\n{"progress": 1}\n'])
def test_a_line_over_the_limit_is_told_with_its_whole_size(tmp_path: Path, end: bytes) -> None:
    line = b'{"result": "' + b"x" * 2_000_000 + b'"}'

    outcome = failed(outcome_of(tmp_path, line + end))

    assert outcome.error.code == TaskErrorCode.RESULT_TOO_LARGE
    assert "a line of stdout is 2,000,014 bytes, and" in outcome.error.message


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"message": "no"}, ProgramError(message="no")),
        ("no", ProgramError(message="no")),
        ({"message": "no", "retry": False}, ProgramError(message="no", retryable=False)),
        ({"message": "no", "retry": True}, ProgramError(message="no")),
        ({"message": "no", "retry": "30s"}, ProgramError(message="no", retry_after_seconds=30)),
        ({"message": "no", "retry": 1.5}, ProgramError(message="no", retry_after_seconds=1.5)),
        ({"message": "no", "retry": 0}, ProgramError(message="no", retry_after_seconds=0)),
        ({"message": "no", "retry": None}, ProgramError(message="no")),
        ({"message": "no", "retry": 1e300}, ProgramError(message="no", retry_after_seconds=MONTH)),
        ({}, ProgramError(message="the program gave no message")),
        (None, ProgramError(message="the program gave no message")),
        ({"message": [1]}, ProgramError(message="[1]")),
    ],
)  # fmt: skip
def test_an_error_line_says_what_and_whether_it_is_tried_again(
    tmp_path: Path, error: object, expected: ProgramError
) -> None:
    lines = read(tmp_path, json.dumps({"error": error}).encode())

    assert lines.error == expected


@pytest.mark.parametrize("retry", ["forever", "9e9h", -5, [], {"after": 1}, "", "\x1b"])
def test_a_retry_that_is_no_duration_counts_as_true_and_is_said(
    tmp_path: Path, retry: object
) -> None:
    data = json.dumps({"error": {"message": "no", "retry": retry}}).encode()

    outcome = failed(outcome_of(tmp_path, data))

    assert (outcome.retryable, outcome.retry_after_seconds) == (True, None)
    assert outcome.error.message.startswith("no (its retry ")
    assert outcome.error.message.endswith(" is no duration, and counts as true)")


@pytest.mark.parametrize("status", [0, 1, 65, -9])
def test_an_error_line_counts_before_the_exit_status_and_a_result(
    tmp_path: Path, status: int
) -> None:
    data = b'{"result": 1}\n{"error": {"message": "a\\u001b", "retry": "1s"}}\n{"error": "b"}\n'

    outcome = failed(outcome_of(tmp_path, data, status=status))

    assert (outcome.error.code, outcome.error.message) == (TaskErrorCode.EXCEPTION, r"a\x1b")
    assert (outcome.retryable, outcome.retry_after_seconds) == (True, 1.0)


@pytest.mark.parametrize(("status", "retryable"), [(1, True), (65, False), (127, True)])
def test_an_exit_status_counts_before_a_result(
    tmp_path: Path, status: int, retryable: bool
) -> None:
    outcome = failed(outcome_of(tmp_path, b'{"result": 1}\n', status=status, stderr=b"why\n"))

    assert outcome.error.message == f"exit status {status}: why"
    assert (outcome.error.exit_code, outcome.retryable) == (status, retryable)
    assert outcome.result is None


def test_a_signal_is_the_signals_failure(tmp_path: Path) -> None:
    outcome = failed(outcome_of(tmp_path, b'{"result": 1}\n', status=-11))

    assert (outcome.error.code, outcome.error.signal) == (TaskErrorCode.SIGNAL, "SIGSEGV")


def test_a_result_in_the_file_counts_like_a_line() -> None:
    lines = ProgramLines(max_result_bytes=LARGE)
    end = CommandEnd(status=0, document=b'{"a": 1}', document_source="INBOXD_RESULT_FILE")

    outcome = program_outcome(end, lines, max_result_bytes=LARGE)

    assert outcome == Completed(result=b'{"a":1}')


def test_a_line_and_a_file_are_two_results(tmp_path: Path) -> None:
    end = CommandEnd(status=0, document=b"1", document_source="INBOXD_RESULT_FILE")

    outcome = program_outcome(end, read(tmp_path, b'{"result": 1}'), max_result_bytes=LARGE)

    message = failed(outcome).error.message
    assert "there are 2 results, 1 on stdout and one in INBOXD_RESULT_FILE;" in message


def test_a_line_that_never_ends_is_bounded_in_memory(tmp_path: Path) -> None:
    lines = ProgramLines(max_result_bytes=1000)
    file = tmp_path / "out"
    file.write_bytes(b'{"result": "' + b"x" * 50_000_000)

    tracemalloc.start()
    for _ in range(20):
        lines.look(file)
    lines.look(file, is_over=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2_000_000
    outcome = failed(program_outcome(CommandEnd(status=0), lines, max_result_bytes=1000))
    assert outcome.error.code == TaskErrorCode.RESULT_TOO_LARGE


def test_a_long_line_that_is_no_object_is_output(tmp_path: Path) -> None:
    lines = read(tmp_path, b"x" * 5_000_000 + b'{"result": 2}\n{"result": 1}\n', max_result_bytes=9)

    assert (lines.result, lines.oversize) == (b"1", None)


def test_a_long_object_is_too_large_and_the_next_line_is_read(tmp_path: Path) -> None:
    lines = read(tmp_path, b"{" + b" " * 5_000_000 + b'}\n{"progress": 1}\n', max_result_bytes=9)

    assert (lines.progress, lines.oversize_line) == ((1, None), 5_000_002)


@pytest.mark.parametrize(
    ("line", "count"),
    [(b'{"progress":1}\n', MOST_LINES_A_LOOK), (b"{}\n", 10 * MOST_LINES_A_LOOK)],
)
def test_more_lines_than_can_be_read_are_no_success(
    tmp_path: Path, line: bytes, count: int
) -> None:
    data = line * (count + 1) + b'{"result": 1}\n'

    outcome = failed(outcome_of(tmp_path, data))

    assert "they are not all read" in outcome.error.message


def test_a_result_that_was_dropped_with_the_middle_is_no_success(tmp_path: Path) -> None:
    file = tmp_path / "out"
    with file.open("wb") as out:
        out.write(b"begin\n")
        out.seek(1 << 20)
        out.write(b"end\n")
    lines = ProgramLines(max_result_bytes=LARGE)
    lines.look(file, is_over=True)

    outcome = program_outcome(CommandEnd(status=0), lines, max_result_bytes=LARGE)

    assert "no result in what was kept of stdout" in failed(outcome).error.message


def test_what_was_read_before_the_middle_was_dropped_counts(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_bytes(b'{"result": 1}\n')
    lines = ProgramLines(max_result_bytes=LARGE)
    lines.look(file)
    with file.open("r+b") as out:
        out.truncate(0)
        out.seek(1 << 20)
        out.write(b"end\n")

    lines.look(file, is_over=True)

    assert lines.result == b"1"


def test_a_file_that_became_shorter_is_read_on_and_said(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_bytes(b"a long beginning\n" * 10)
    lines = ProgramLines(max_result_bytes=LARGE)
    lines.look(file)
    file.write_bytes(b"rewritten\n")

    lines.look(file)
    with file.open("ab") as out:
        out.write(b'the rest\n{"progress": 1}\n')
    lines.look(file, is_over=True)

    assert (lines.progress, lines.dropped) == ((1, None), 160)


def test_a_file_that_the_program_removed_or_replaced_says_nothing(tmp_path: Path) -> None:
    lines = ProgramLines(max_result_bytes=LARGE)
    (tmp_path / "link").symlink_to("/etc/passwd")

    lines.look(tmp_path / "none", is_over=True)
    lines.look(tmp_path / "link", is_over=True)
    lines.look(tmp_path, is_over=True)

    outcome = program_outcome(CommandEnd(status=0), lines, max_result_bytes=LARGE)
    assert outcome == Completed()


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)  # fmt: skip
_noise = st.binary(max_size=30).filter(lambda data: b"\n" not in data and b"{" not in data)


@given(value=_values, noise=st.lists(_noise, max_size=5), cuts=st.lists(st.integers(1, 40)))
def test_how_the_output_comes_in_pieces_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, value: Any, noise: list[bytes], cuts: list[int]
) -> None:
    file = tmp_path_factory.mktemp("lines") / "out"
    data = b"\n".join([*noise, json.dumps({"result": value}).encode(), *noise])
    lines = ProgramLines(max_result_bytes=LARGE)
    with file.open("ab", buffering=0) as out:
        for cut in cuts:
            out.write(data[:cut])
            data = data[cut:]
            lines.look(file)
        out.write(data)
    lines.look(file, is_over=True)

    assert lines.result is not None
    assert json.loads(lines.result) == value
    assert lines.results == 1


@given(st.binary(max_size=300) | st.text('{}":[]result,erop 1\n\\u').map(str.encode))
def test_no_output_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    outcome = outcome_of(tmp_path_factory.mktemp("lines"), data)

    if isinstance(outcome, Failed):
        assert outcome.error.message.isprintable()
    else:
        assert isinstance(outcome, Completed)
        json.loads(outcome.result or b"null")
