"""`inboxd validate` and `inboxd schema`."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

_GOOD = '[{"id": "a", "executor": "noop"}]'
_BAD = '[{"id": "a", "executor": "nop", "dependencies": ["b"]}]'


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_good_file_is_said_to_be_good(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", _GOOD)

    assert (0, f"{file}: good, 1 task\n", "") == run("validate", file)


def test_every_error_of_every_file_is_shown_with_its_place(run: Run, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.json", _BAD)
    good = write(tmp_path / "good.json", _GOOD)

    code, out, err = run("validate", bad, good)

    assert (code, err) == (4, "")
    assert [
        f'{bad}: /0/executor: there is no executor "nop"; did you mean "noop"? (line 1, column 26)',
        f'{bad}: /0/dependencies/0: no task "b" in this file (line 1, column 50)',
        f"{good}: good, 1 task",
    ] == out.splitlines()


def test_json_says_the_same(run: Run, tmp_path: Path) -> None:
    bad = write(tmp_path / "bad.json", _BAD)
    good = write(tmp_path / "good.json", _GOOD)

    code, out, err = run("validate", "--json", bad, good)

    document = json.loads(out)
    seen = [
        (file["file"], file["valid"], file["task_count"], len(file["errors"]), file["warnings"])
        for file in document["files"]
    ]
    assert (code, err, document["format"]) == (4, "", 1)
    assert [(bad, False, None, 2, []), (good, True, 1, 0, [])] == seen
    assert document["files"][0]["errors"][0] == {
        "code": "unknown_executor",
        "pointer": "/0/executor",
        "line": 1,
        "column": 26,
        "message": 'there is no executor "nop"',
        "hint": 'did you mean "noop"?',
    }


def test_standard_input_is_a_dash(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_GOOD.encode())))

    assert run("validate", "-") == (0, "standard input: good, 1 task\n", "")


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("none.json", "unreadable", "cannot be read: No such file or directory"),
        (".", "not_a_regular_file", "is a directory, not a task file"),
    ],
)
def test_a_file_that_cannot_be_read_is_invalid(
    run: Run, tmp_path: Path, name: str, code: str, message: str
) -> None:
    path = tmp_path / name

    for_people = run("validate", str(path))
    as_json = json.loads(run("validate", "--json", str(path))[1])

    assert (4, f"{path}: {message}\n", "") == for_people
    assert code == as_json["files"][0]["errors"][0]["code"]


def test_a_file_whose_name_would_move_the_terminal_is_shown_escaped(
    run: Run, tmp_path: Path
) -> None:
    file = write(tmp_path / "a\x1b[2J.json", _GOOD)

    _, out, _ = run("validate", file)

    assert f"{tmp_path}/a\\x1b[2J.json: good, 1 task\n" == out


def test_more_errors_than_are_shown_are_said_to_be_there(run: Run, tmp_path: Path) -> None:
    tasks = [{"id": f"t{number}", "executor": "none"} for number in range(200)]
    file = write(tmp_path / "bad.json", json.dumps(tasks))

    lines = run("validate", file)[1].splitlines()
    as_json = json.loads(run("validate", "--json", file)[1])

    assert f"{file}: there are more errors; these are the first 100" == lines[-1]
    assert (
        as_json["files"][0]["has_more_errors"],
        len(as_json["files"][0]["errors"]),
    ) == (True, 100)


def test_the_limits_and_executors_of_the_configuration_count(run: Run, tmp_path: Path) -> None:
    config = write(
        tmp_path / "c.toml", "[inbox]\nmax_tasks = 1\n[executors.noop]\nenabled = false\n"
    )
    file = write(tmp_path / "a.json", '[{"id": "a", "executor": "noop"}, {"name": "noop"}]')
    one = write(tmp_path / "b.json", _GOOD)

    _, out, _ = run("validate", "--json", "--config", config, file, one)

    codes = [error["code"] for each in json.loads(out)["files"] for error in each["errors"]]
    assert codes == ["too_many_tasks", "unknown_executor"]


def test_too_large_a_file_is_not_read_whole(run: Run, tmp_path: Path) -> None:
    config = write(tmp_path / "c.toml", '[inbox]\nmax_file_bytes = "1KiB"\n')
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 1024**4)

    _, out, _ = run("validate", "--json", "--config", config, str(path))

    assert json.loads(out)["files"][0]["errors"][0]["code"] == "too_large"


def test_the_core_of_the_schema_is_printed_and_is_the_shipped_one(run: Run) -> None:
    shipped = Path(__file__).parents[3] / "config/task-array.schema.json"

    code, out, err = run("schema", "--core")

    assert (0, json.loads(shipped.read_text()), "") == (code, json.loads(out), err)


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path, run: Run) -> None:
    fifo = tmp_path / "pipe.json"
    os.mkfifo(fifo)

    code, out, _ = run("validate", "--json", str(fifo))

    assert (
        code,
        [error["code"] for error in json.loads(out)["files"][0]["errors"]],
    ) == (4, ["not_a_regular_file"])


def test_a_pipe_that_the_shell_opened_is_read(tmp_path: Path, run: Run) -> None:
    reading, writing = os.pipe()
    os.write(writing, b'[{"name": "noop"}]')
    os.close(writing)

    code, out, _ = run("validate", f"/dev/fd/{reading}")
    os.close(reading)

    assert (code, "good, 1 task" in out) == (0, True)
