"""The environment of a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd.config.variables import RESERVED_VARIABLES
from inboxd.running.environment import attempt_variables, base_environment
from inboxd.running.paths import attempt_files

from .runner_bed import attempt

if TYPE_CHECKING:
    from pathlib import Path

DAEMON = {
    "PATH": "/usr/bin",
    "HOME": "/home/a",
    "USER": "a",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "SECRET": "canary",
    "EMPTY": "",
}


def test_the_short_list_is_handed_on_and_nothing_else() -> None:
    assert base_environment(DAEMON, ()) == {
        b"PATH": b"/usr/bin",
        b"HOME": b"/home/a",
        b"USER": b"a",
        b"LANG": b"C.UTF-8",
        b"TZ": b"UTC",
    }


def test_what_the_daemon_does_not_have_is_not_made_up_but_for_the_path() -> None:
    assert base_environment({}, ()) == {b"PATH": b"/bin:/usr/bin"}


@pytest.mark.parametrize(
    ("more", "added"),
    [
        (("SECRET",), {b"SECRET": b"canary"}),
        (("MISSING",), {}),
        (("EMPTY",), {b"EMPTY": b""}),
        (("SECRET=other",), {b"SECRET": b"other"}),
        (("A=b=c",), {b"A": b"b=c"}),
        (("A=",), {b"A": b""}),
        (("PATH=/opt/bin",), {b"PATH": b"/opt/bin"}),
    ],
)
def test_the_setting_hands_on_or_sets(more: tuple[str, ...], added: dict[bytes, bytes]) -> None:
    assert base_environment(DAEMON, more) == {**base_environment(DAEMON, ()), **added}


def test_an_attempt_is_told_which_one_it_is(tmp_path: Path) -> None:
    one = attempt(position=7, number=3)
    files = attempt_files(tmp_path, one.tree_id, one.position, one.number)

    variables = attempt_variables(one, files=files, tree_directory="/state/trees/t")

    assert {name.decode() for name in variables} == set(RESERVED_VARIABLES)
    assert {name.decode(): value.decode() for name, value in variables.items()} == {
        "INBOXD_TREE_ID": one.tree_id,
        "INBOXD_TASK_ID": "task-7",
        "INBOXD_ATTEMPT": "3",
        "INBOXD_IDEMPOTENCY_KEY": f"{one.tree_id}/task-7",
        "INBOXD_TREE_DIR": "/state/trees/t",
        "INBOXD_RESULT_FILE": files.result,
        "INBOXD_PROGRESS_FILE": files.progress,
    }
