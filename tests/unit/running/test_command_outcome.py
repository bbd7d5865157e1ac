"""How a command ended, as an outcome."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.running.command_outcome import CommandEnd, command_outcome, command_result, tail_bytes
from inboxd.task import Completed, TaskErrorCode

from .runner_bed import completed, failed, result_of

LARGE = 1 << 20


def test_success_gives_exit_code_and_output() -> None:
    outcome = command_outcome(
        CommandEnd(status=0, stdout=b"42\n", stderr=b"note"), max_result_bytes=LARGE
    )

    assert completed(outcome) == {
        "exit_code": 0,
        "stdout": "42\n",
        "stderr": "note",
        "truncated": False,
    }


def test_the_result_without_output_has_the_same_form() -> None:
    outcome = command_outcome(CommandEnd(status=0), max_result_bytes=LARGE)

    assert outcome == Completed(result=command_result(CommandEnd(status=0)))


@pytest.mark.parametrize(("status", "retryable"), [(1, True), (64, True), (65, False), (66, True)])
def test_exit_65_alone_is_not_tried_again(status: int, retryable: bool) -> None:
    outcome = failed(command_outcome(CommandEnd(status=status), max_result_bytes=LARGE))

    assert outcome.error.code == TaskErrorCode.EXIT_STATUS
    assert outcome.error.exit_code == status
    assert outcome.retryable == retryable


def test_a_failure_keeps_its_result_beside_the_error() -> None:
    outcome = command_outcome(
        CommandEnd(status=2, stdout=b"so far\n", stderr=b"no\n"), max_result_bytes=LARGE
    )

    assert result_of(outcome) == {
        "exit_code": 2,
        "stdout": "so far\n",
        "stderr": "no\n",
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (b"", "exit status 1"),
        (b"\n \n", "exit status 1"),
        (b"cat: data.json: No such file\n", "exit status 1: cat: data.json: No such file"),
        (b"a\nb\n\nc\nd\n", "exit status 1: b | c | d"),
        (b"\x1b[31mred\x1b[0m\n", r"exit status 1: \x1b[31mred\x1b[0m"),
        (b"\xff\xfe", "exit status 1: \ufffd\ufffd"),
    ],
)
def test_the_message_carries_the_last_lines_of_stderr(stderr: bytes, message: str) -> None:
    outcome = failed(command_outcome(CommandEnd(status=1, stderr=stderr), max_result_bytes=LARGE))

    assert outcome.error.message == message


@given(st.binary(max_size=5000))
def test_the_message_is_one_bounded_printable_line(stderr: bytes) -> None:
    outcome = failed(command_outcome(CommandEnd(status=1, stderr=stderr), max_result_bytes=LARGE))

    assert len(outcome.error.message) <= 320
    assert "\n" not in outcome.error.message
    assert "\x1b" not in outcome.error.message


@pytest.mark.parametrize(
    ("status", "name"), [(-9, "SIGKILL"), (-11, "SIGSEGV"), (-40, "signal 40")]
)
def test_a_death_by_signal_names_it_and_has_no_exit_code(status: int, name: str) -> None:
    outcome = failed(command_outcome(CommandEnd(status=status), max_result_bytes=LARGE))

    assert outcome.error.code == TaskErrorCode.SIGNAL
    assert outcome.error.signal == name
    assert result_of(outcome)["exit_code"] is None


def test_a_lost_exit_status_is_no_success() -> None:
    outcome = failed(command_outcome(CommandEnd(status=None), max_result_bytes=LARGE))

    assert "exit status is lost" in outcome.error.message


@pytest.mark.parametrize(
    ("document", "result"),
    [
        (b' {"a": [1, 2.5, null]}\n', b'{"a":[1,2.5,null]}'),
        (b"null", b"null"),
        (b'"text"', b'"text"'),
        (b'{"a":1,"a":2}', b'{"a":2}'),
        (b"123456789012345678901234567890", b"123456789012345678901234567890"),
    ],
)
def test_a_document_becomes_the_result(document: bytes, result: bytes) -> None:
    outcome = command_outcome(CommandEnd(status=0, document=document), max_result_bytes=LARGE)

    assert outcome == Completed(result=result)


@pytest.mark.parametrize(
    "document",
    [b"", b"  \n", b"{", b"NaN", b"1e999", b"1 2", b'"\xff"', b'"\\ud800"', b"[" * 100_000],
)
def test_a_document_that_is_no_json_is_an_invalid_result(document: bytes) -> None:
    end = CommandEnd(status=0, document=document, stdout=b"shown")

    outcome = failed(command_outcome(end, max_result_bytes=LARGE))

    assert outcome.error.code == TaskErrorCode.INVALID_RESULT
    assert outcome.error.message.startswith("stdout is no JSON document: ")
    assert result_of(outcome)["stdout"] == "shown"


def test_a_document_over_the_bound_is_too_large() -> None:
    end = CommandEnd(status=0, document=b"", oversize=5_000_000)

    outcome = failed(command_outcome(end, max_result_bytes=LARGE))

    assert outcome.error.code == TaskErrorCode.RESULT_TOO_LARGE
    assert "5,000,000 bytes" in outcome.error.message


@given(
    stdout=st.binary(max_size=3000),
    stderr=st.binary(max_size=3000),
    max_result_bytes=st.integers(200, 20_000),
)
def test_a_result_of_tails_always_fits_its_bound(
    stdout: bytes, stderr: bytes, max_result_bytes: int
) -> None:
    most = tail_bytes(max_result_bytes)
    end = CommandEnd(
        status=255, stdout=stdout[-most:] if most else b"", stderr=b"\0" * most, truncated=True
    )

    result = command_result(end)

    assert len(result) <= max_result_bytes
    json.loads(result)


@given(st.text(max_size=50), st.integers(0, 200))
def test_a_cut_through_a_character_leaves_the_rest_as_it_was(text: str, cut: int) -> None:
    data = (
        text.encode("utf-8", "surrogatepass")
        if text.isprintable()
        else text.encode("utf-8", "replace")
    )
    end = CommandEnd(status=0, stdout=data[cut:], truncated=cut > 0)

    shown = json.loads(command_result(end))["stdout"]

    assert data.decode().endswith(shown)
    assert len(data[cut:]) - len(shown.encode()) <= 3
