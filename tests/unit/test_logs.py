"""How log records look: one line whatever they hold, and nothing that acts on a terminal."""

from __future__ import annotations

import io
import json
import logging
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.logs import JsonFormatter, PlainFormatter, configure_logging, is_journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def quiet_root() -> Iterator[None]:
    """Put the logging of the process back as it was."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    ours = logging.getLogger("inboxd").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("inboxd").setLevel(ours)
    logging.raiseExceptions = raising
    logging.captureWarnings(capture=False)


def record(message: str, **facts: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelname": "INFO", "levelno": logging.INFO})
    made.created = 1_795_521_600.25
    made.__dict__.update(facts)
    return made


def failing_record() -> logging.LogRecord:
    try:
        int("no\x1b[2J")
    except ValueError:
        return record("it failed", exc_info=sys.exc_info())
    raise AssertionError


def test_a_plain_line_has_time_level_message_and_facts() -> None:
    line = PlainFormatter().format(
        record("task finished", event="task_finished", task_id="fetch", seconds=0.2)
    )

    assert line == "2026-11-24T12:00:00.250000Z INFO task finished task_id=fetch seconds=0.2"


def test_a_fact_with_blanks_or_quotes_is_quoted() -> None:
    line = PlainFormatter().format(record("m", label='a "b" \\', empty="", file=b"caf\xe9.json"))

    assert line.endswith(r' m label="a \"b\" \\" empty="" file=caf\xe9.json')


@given(st.text(), st.text(), st.text(min_size=1))
def test_a_plain_record_is_one_line_without_control_characters(
    message: str, value: str, name: str
) -> None:
    made = record("")
    made.msg, made.__dict__[name if name not in made.__dict__ else "fact"] = message, value

    line = PlainFormatter().format(made)

    assert {unicodedata.category(character) for character in line.replace("\t", "")}.isdisjoint(
        {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )


def test_a_traceback_follows_its_line_escaped() -> None:
    lines = PlainFormatter().format(failing_record()).split("\n")

    assert lines[0].endswith("INFO it failed")
    assert lines[-1].startswith("ValueError: invalid literal")
    assert "\x1b" not in "".join(lines)


def test_under_the_journal_each_line_carries_the_priority() -> None:
    lines = PlainFormatter(for_journal=True).format(failing_record()).split("\n")

    assert lines[0] == "<6>it failed"
    assert all(line.startswith("<6>") for line in lines)


def test_a_json_record_is_one_object_with_its_facts() -> None:
    line = JsonFormatter().format(record("ended\n", event="tree_ended", tasks=3, file=b"\xff.json"))

    assert json.loads(line) == {
        "time": "2026-11-24T12:00:00.250000Z",
        "level": "info",
        "logger": None,
        "event": "tree_ended",
        "message": "ended\n",
        "tasks": 3,
        "file": "\\xff.json",
    }
    assert "\n" not in line


def test_a_fact_cannot_pass_for_a_field_of_the_record() -> None:
    line = JsonFormatter().format(record("m", time="then", level="none", fact=1))

    assert (json.loads(line)["time"], json.loads(line)["level"], json.loads(line)["fact"]) == (
        "2026-11-24T12:00:00.250000Z",
        "info",
        1,
    )


def test_a_json_record_carries_its_traceback() -> None:
    assert (
        "ValueError: invalid" in json.loads(JsonFormatter().format(failing_record()))["traceback"]
    )


@pytest.mark.usefixtures("quiet_root")
def test_ours_are_written_from_their_level_on_and_libraries_from_warning_on() -> None:
    stream = io.StringIO()
    configure_logging(level="debug", format="json", stream=stream)
    configure_logging(level="info", format="json", stream=stream)
    logging.getLogger("inboxd.inbox").debug("too small")
    logging.getLogger("inboxd.inbox").info("ours")
    logging.getLogger("apscheduler").info("theirs")
    logging.getLogger("apscheduler").warning("their warning")

    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]

    assert messages == ["ours", "their warning"]


@pytest.mark.usefixtures("quiet_root")
def test_a_stream_that_is_gone_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure_logging(level="info", format="plain", stream=stream)
    stream.close()

    logging.getLogger("inboxd").info("lost")

    assert capfd.readouterr().err == ""


def test_the_journal_is_told_by_its_stream(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        facts = (tmp_path / "stream").stat()
        own = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}

        assert is_journal(stream, own)
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{facts.st_dev}:1"})
        assert not is_journal(stream, {})
    assert not is_journal(io.StringIO(), own)
