"""What commands write to INBOXD_PROGRESS_FILE while they run, with the real runner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd.running.progress import Progress
from inboxd.task import TaskErrorCode

from ..unit.running.runner_bed import RunnerBed, attempt, completed, failed, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inboxd.running.attempt import Attempt

#: It says what it is about to do and waits to be let go.
COUNTS = """
for n in 1 2 3; do
  printf '{"progress": 0.%d, "message": "file %d of 4"}\\n' "$n" "$n" >>"$INBOXD_PROGRESS_FILE"
done
until [ -e go ]; do sleep 0.02; done
"""


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[RunnerBed]:
    with RunnerBed(tmp_path / "state", places=16) as made:
        yield made


def let_go(bed: RunnerBed) -> None:
    (bed.state / "trees" / attempt().tree_id / "go").touch()


def progress_of(bed: RunnerBed, one: Attempt) -> Progress | None:
    return next((each.progress for each in bed.runner.running() if each.attempt == one), None)


def left_in(bed: RunnerBed) -> list[str]:
    bed.runner.stop()
    return [path.name for path in bed.state.rglob("*.progress")]


def test_a_shell_says_how_far_it_is(bed: RunnerBed) -> None:
    one = attempt("command", {"script": COUNTS})
    bed.runner.run([one])

    seen = until(lambda: progress_of(bed, one))
    let_go(bed)
    bed.outcome(one)

    assert seen == Progress(0.3, "file 3 of 4")
    assert [(each.fraction, each.message) for each in bed.told] == [(0.3, "file 3 of 4")]
    assert left_in(bed) == []


@pytest.mark.parametrize("end", ["exit 0", "exit 3"])
def test_the_last_word_of_one_that_is_over_at_once_is_told_before_its_end(
    bed: RunnerBed, end: str
) -> None:
    one = attempt(
        "command",
        {"script": f'printf \'{{"progress": 0.7}}\' >"$INBOXD_PROGRESS_FILE"; {end}'},
    )
    bed.run(one)

    assert [(each.task_id, each.fraction) for each in bed.told] == [(one.task_id, 0.7)]
    assert bed.runner.board.of(one) is None
    assert left_in(bed) == []


def test_what_else_may_lie_there_harms_nobody(bed: RunnerBed, tmp_path: Path) -> None:
    (tmp_path / "target").write_text('{"progress": 0.5}\n')
    deeds = [
        f'ln -s "{tmp_path}/target" "$INBOXD_PROGRESS_FILE"',
        'mkfifo "$INBOXD_PROGRESS_FILE"',
        'truncate -s 1T "$INBOXD_PROGRESS_FILE"',
        'head -c 20000000 /dev/urandom >"$INBOXD_PROGRESS_FILE"',
        (
            'until [ -e go ]; do rm -f "$INBOXD_PROGRESS_FILE"; mkfifo "$INBOXD_PROGRESS_FILE";'
            f' ln -sf "{tmp_path}/target" "$INBOXD_PROGRESS_FILE"; done'
        ),
    ]
    wait = "\nuntil [ -e go ]; do sleep 0.02; done"
    hostile = [
        attempt("command", {"script": deed + wait}, position=number)
        for number, deed in enumerate(deeds)
    ]
    good = [
        attempt("command", {"script": COUNTS}, position=100 + number, number=2)
        for number in range(2)
    ]

    # The second good one begins when all have been looked at: that it is seen takes another look.
    bed.runner.run([*hostile, good[0]])
    until(lambda: progress_of(bed, good[0]))
    bed.runner.run([good[1]])
    until(lambda: progress_of(bed, good[1]))
    let_go(bed)

    for one in [*hostile, *good]:
        assert completed(bed.outcome(one))["exit_code"] == 0
    assert {each.task_id for each in bed.told} == {one.task_id for one in good}
    assert (tmp_path / "target").read_text() == '{"progress": 0.5}\n'
    assert left_in(bed) == []


def test_what_outlives_the_command_says_nothing_and_leaves_nothing(bed: RunnerBed) -> None:
    one = attempt(
        "command",
        {
            "script": """
                (
                  trap 'echo "{\\"progress\\": 1}" >"$INBOXD_PROGRESS_FILE"; touch wrote; exit' TERM
                  touch ready
                  while :; do sleep 0.02; done
                ) >/dev/null 2>&1 &
                until [ -e ready ]; do sleep 0.02; done
            """
        },
    )
    outcome = completed(bed.run(one)[0])

    assert outcome["exit_code"] == 0
    assert left_in(bed) == []
    assert (bed.state / "trees" / one.tree_id / "wrote").exists()
    assert bed.told == []
    assert bed.runner.board.of(one) is None


def test_a_command_over_its_time_limit_is_heard_to_its_end(bed: RunnerBed) -> None:
    one = attempt(
        "command",
        {
            "script": """
                trap 'echo "{\\"progress\\": 0.9}" >"$INBOXD_PROGRESS_FILE"; exit 1' TERM
                while :; do sleep 0.02; done
            """
        },
        timeout_seconds=0.2,
    )
    error = failed(bed.run(one)[0]).error

    assert error.code == TaskErrorCode.TIMEOUT
    assert [each.fraction for each in bed.told] == [0.9]
