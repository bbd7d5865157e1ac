"""`inboxd submit`, with a stand-in for the daemon."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .stand_in import TREE_ID, StandIn

Run = Callable[..., tuple[int, str, str]]

_GOOD = '[{"id": "a", "executor": "noop"}]\n'
_RESULT: dict[str, Any] = {
    "name": None,
    "status": "completed",
    "counts": {"total": 3, "pending": 0, "in_progress": 0, "completed": 2, "skipped": 1},
    "tasks": [],
}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "report.json"
    path.write_text(_GOOD)
    return str(path)


def in_inbox(state: Path) -> list[str]:
    return [path.name for path in (state / "inbox").glob("*") if path.is_file()]


def test_the_tree_id_is_printed_when_the_daemon_has_accepted(
    run: Run, state: Path, file: str
) -> None:
    with StandIn(state=state) as daemon:
        answer = run("submit", file)

    (name,) = daemon.taken
    assert (0, f"{TREE_ID}\n", "") == answer
    assert (True, _GOOD.encode()) == (
        re.fullmatch(r"report-[0-9a-f]{8}\.json", name) is not None,
        daemon.taken[name],
    )


def test_json_prints_the_receipt(run: Run, state: Path, file: str) -> None:
    with StandIn(state=state) as daemon:
        code, out, err = run("submit", "--json", file)

    (name,) = daemon.taken
    assert (0, (name, True, TREE_ID), "") == (
        code,
        tuple(json.loads(out)[key] for key in ("file", "accepted", "tree_id")),
        err,
    )


def test_standard_input_is_a_dash(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_GOOD.encode())))
    with StandIn(state=state) as daemon:
        code, _, _ = run("submit", "-")

    (name,) = daemon.taken
    assert (code, name[:6]) == (0, "tasks-")


def test_name_and_key_go_into_the_envelope_and_the_name_of_the_file(
    run: Run, state: Path, file: str
) -> None:
    with StandIn(state=state) as daemon:
        code, _, _ = run("submit", "--name", "nightly", "--idempotency-key", "k1", file)

    ((name, data),) = daemon.taken.items()
    envelope = {"name": "nightly", "idempotency_key": "k1", "tasks": json.loads(_GOOD)}
    assert (0, "nightly-", envelope) == (code, name[:8], json.loads(data))


@pytest.mark.parametrize("name", ["", "a/b", ".hidden"])
def test_a_name_that_is_no_name_of_a_file_is_a_usage_error(
    run: Run, state: Path, file: str, name: str
) -> None:
    with StandIn(state=state) as daemon:
        code, out, err = run("submit", "--name", name, file)

    assert (code, out, daemon.taken) == (2, "", {})
    assert "must not be empty, hold a slash or begin with a dot" in err


def test_an_invalid_file_is_shown_and_not_dropped(run: Run, state: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('[{"id": "a", "executor": "nop"}]')
    with StandIn(state=state) as daemon:
        for_people = run("submit", str(bad))
        code, out, _ = run("submit", "--json", str(bad))

    error = 'there is no executor "nop"; did you mean "noop"? (line 1, column 26)'
    assert (4, "", f"{bad}: /0/executor: {error}\n") == for_people
    assert (
        code,
        json.loads(out)["accepted"],
        json.loads(out)["errors"][0]["code"],
        daemon.taken,
    ) == (4, False, "unknown_executor", {})


def test_what_the_daemon_rejects_ends_with_4(run: Run, state: Path, file: str) -> None:
    error = {
        "code": "wrong_owner",
        "pointer": "",
        "line": None,
        "column": None,
        "message": "belongs to user 7",
        "hint": "set allowed_owners",
    }
    with StandIn(state=state, receipt={"accepted": False, "errors": [error]}) as daemon:
        code, out, err = run("submit", file)
        as_json = run("submit", "--json", "--wait", file)

    first, _ = daemon.taken
    assert (4, "", f"{first}: belongs to user 7; set allowed_owners\n") == (code, out, err)
    assert (as_json[0], json.loads(as_json[1])["accepted"]) == (4, False)


def test_a_duplicate_gives_the_first_tree_and_says_so(run: Run, state: Path, file: str) -> None:
    receipt: dict[str, Any] = {"accepted": True, "tree_id": TREE_ID, "duplicate": True}
    with StandIn(state=state, receipt=receipt):
        answer = run("submit", file)

    assert (
        0,
        f"{TREE_ID}\n",
        "this was accepted before; the tree is that of the first time\n",
    ) == answer


def test_without_a_daemon_nothing_is_dropped(run: Run, state: Path, file: str) -> None:
    (state / "inbox").mkdir()

    results = [run("submit", file), run("submit", "--wait", "--queue", file)]

    nothing = f"inboxd: no daemon runs on {state}: nothing was dropped; start one with `inboxd run`"
    assert [
        (69, "", f"{nothing}, or leave the file for the next one with --queue\n"),
        (
            69,
            "",
            f"{nothing}; a file that is queued cannot be waited for: leave --wait out to queue"
            " it\n",
        ),
    ] == results
    assert in_inbox(state) == []


def test_an_invalid_file_is_4_without_a_daemon_too(run: Run, state: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("[]")

    code, _, _ = run("submit", str(bad))

    assert code == 4


def test_queue_leaves_the_file_for_the_next_daemon(run: Run, state: Path, file: str) -> None:
    (state / "inbox").mkdir()

    code, out, err = run("submit", "--queue", file)
    as_json = json.loads(run("submit", "--queue", "--json", file)[1])

    note = "no daemon runs now; the file lies in the inbox and is taken when one starts\n"
    assert (0, note) == (code, err)
    assert sorted([out.strip(), as_json["file"]]) == sorted(in_inbox(state))
    assert as_json["queued"] is True


def test_queue_makes_the_inbox_that_the_daemon_would_make(run: Run, state: Path, file: str) -> None:
    state.rmdir()
    before = os.umask(0o022)
    try:
        code, out, _ = run("submit", "--queue", file)
    finally:
        os.umask(before)

    assert (0, [out.strip()]) == (code, in_inbox(state))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (state, state / "inbox")]
    assert modes == [0o700, 0o750]


def test_queue_where_no_inbox_can_be_made_says_what_to_do(run: Run, state: Path, file: str) -> None:
    (state / "inbox").symlink_to(state / "none" / "inbox")

    code, out, err = run("submit", "--queue", file)

    assert (code, out) == (78, "")
    assert f"{state}/inbox: nothing was dropped: " in err


def test_an_empty_idempotency_key_drops_nothing(run: Run, state: Path, file: str) -> None:
    with StandIn(state=state) as daemon:
        code, out, err = run("submit", "--idempotency-key", "", file)

    assert (code, out, daemon.taken) == (4, "", {})
    assert "/idempotency_key: " in err


def test_queue_beside_a_daemon_waits_for_its_answer(run: Run, state: Path, file: str) -> None:
    with StandIn(state=state):
        answer = run("submit", "--queue", file)

    assert (0, f"{TREE_ID}\n", "") == answer


@pytest.mark.parametrize(("status", "code"), [("completed", 0), ("cancelled", 1)])
def test_wait_ends_as_the_tree_did(
    run: Run, state: Path, file: str, status: str, code: int
) -> None:
    with StandIn(state=state, result={**_RESULT, "status": status}):
        answer = run("submit", "--wait", file)

    hint = f"look at it with: inboxd show {TREE_ID[-8:]}\n" if code else ""
    assert (code, f"{TREE_ID}\n", f"{status}: 2 completed, 1 skipped\n{hint}") == answer


def test_wait_names_the_first_tasks_that_failed(run: Run, state: Path, file: str) -> None:
    error = {"code": "exit_status", "message": "exit status\x1b 1", "cause": None}
    tasks = [{"id": "good", "status": "completed", "error": None}] + [
        {"id": f"bad-{n}", "status": "failed", "error": error} for n in range(7)
    ]
    with StandIn(state=state, result={**_RESULT, "status": "failed", "tasks": tasks}):
        code, _, err = run("submit", "--wait", file)

    assert (1, [f"  bad-{n}: exit status\\x1b 1" for n in range(5)]) == (
        code,
        err.splitlines()[1:-1],
    )
    assert f"look at it with: inboxd show {TREE_ID[-8:]}" == err.splitlines()[-1]


def test_wait_with_json_prints_the_result(run: Run, state: Path, file: str) -> None:
    with StandIn(state=state, result=_RESULT):
        code, out, err = run("submit", "--wait", "--json", file)

    assert (
        code,
        json.loads(out)["status"],
        json.loads(out)["tree_id"],
        err,
    ) == (0, "completed", TREE_ID, "")


def test_a_daemon_that_dies_before_it_answers_is_said(run: Run, state: Path, file: str) -> None:
    with StandIn(state=state, dies=True) as daemon:
        code, out, err = run("submit", file)

    (name,) = daemon.taken
    assert (code, out) == (69, "")
    assert f"the daemon ended before it answered; {name} stays in {state}/inbox" in err


def test_who_interrupts_the_waiting_is_told_that_the_tree_goes_on(state: Path, file: str) -> None:
    arguments = [sys.executable, "-m", "inboxd", "submit", "--wait", file, "--state", str(state)]
    with (
        StandIn(state=state),
        subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout is not None
        tree_id = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)

    told = "the tree goes on without you; look at it with: inboxd show 456789ab\n"
    assert (f"{TREE_ID}\n", 130, told) == (tree_id, process.returncode, err)
