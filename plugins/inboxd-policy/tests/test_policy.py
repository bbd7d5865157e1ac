"""An operator's rules, alone and in a whole daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from inboxd import CandidateTask, CandidateTree, PluginConfiguration
from inboxd.errors import ConfigurationError
from inboxd.testing import DaemonUnderTest
from inboxd_policy import PolicyPlugin, plugin
from inboxd_policy.rules import Rules, policy_of

README = (Path(__file__).parents[1] / "README.md").read_text()
ME = os.geteuid()
OTHER = ME + 1


def task(number: int = 0, **fields: Any) -> CandidateTask:
    known: dict[str, Any] = {
        "id": f"t{number}",
        "name": f"t{number}",
        "pointer": f"/tasks/{number}",
        "executor": "command",
        "priority": 2,
        "dependencies": (),
        "parent_id": None,
        "user_id": None,
        "inputs": {},
        "params": {},
        "metadata": {},
        "timeout_seconds": None,
        "retry_limit": 0,
    }
    return CandidateTask(**{**known, **fields})


def found(
    rules: dict[str, Any],
    *tasks: CandidateTask,
    owner: int | None = ME,
    metadata: dict[str, Any] | None = None,
) -> list[tuple[str, str]]:
    """Return code and pointer of each problem that rules find."""
    policy = PolicyPlugin()
    policy.inboxd_configure(PluginConfiguration(options=rules, directory=Path("/nowhere")))
    tree = CandidateTree(
        name=None,
        file="a.json",
        user_id=None,
        owner=owner,
        metadata=metadata or {},
        strict_priority=False,
        task_count=len(tasks),
        tasks=lambda: iter(tasks),
    )
    return [(str(one.code), one.pointer) for one in policy.inboxd_validate_tree(tree)]


def test_without_a_rule_everything_is_allowed_and_nothing_looked_at() -> None:
    policy = PolicyPlugin()
    configuration = PluginConfiguration(options={}, directory=Path("/nowhere"))

    assert policy.inboxd_configure(configuration) == ()
    assert found({}, task(priority=0, executor="anything")) == []


@pytest.mark.parametrize(
    ("rules", "fields", "expected"),
    [
        ({"executors": ["http", "comm*"]}, {}, []),
        ({"executors": ["http"]}, {}, [("invalid_value", "/tasks/0/executor")]),
        ({"executors": []}, {}, [("invalid_value", "/tasks/0/executor")]),
        ({"executors": ["COMMAND"]}, {}, [("invalid_value", "/tasks/0/executor")]),
        ({"least_priority": 2}, {"priority": 2}, []),
        ({"least_priority": 2}, {"priority": 1}, [("out_of_range", "/tasks/0/priority")]),
        ({"max_timeout": "1m"}, {"timeout_seconds": 60.0}, []),
        ({"max_timeout": 60}, {"timeout_seconds": 60.5}, [("out_of_range", "/tasks/0/timeout")]),
        ({"max_timeout": "1m"}, {}, [("missing_field", "/tasks/0")]),
        ({"require_metadata": ["team"]}, {}, [("missing_field", "/metadata")]),
    ],
)
def test_a_rule_finds_what_breaks_it(
    rules: dict[str, Any], fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert found(rules, task(**fields)) == expected


@pytest.mark.parametrize(
    ("value", "is_there"), [("a", True), (0, True), ("", False), (None, False)]
)
def test_metadata_that_is_required_is_not_empty(value: object, *, is_there: bool) -> None:
    problems = found({"require_metadata": ["team"]}, task(), metadata={"team": value})

    assert (problems == []) == is_there


def test_a_file_with_too_many_tasks_is_told_only_that() -> None:
    rules = {"max_tasks": 2, "executors": []}

    assert found(rules, task(0), task(1), task(2)) == [("too_many_tasks", "")]
    assert len(found(rules, task(0), task(1))) == 2


def test_no_more_than_a_hundred_problems_are_looked_for() -> None:
    asked: list[int] = []

    def tasks() -> Any:
        for number in range(1000):
            asked.append(number)
            yield task(number)

    policy = PolicyPlugin()
    options: dict[str, Any] = {"executors": []}
    policy.inboxd_configure(PluginConfiguration(options=options, directory=Path("/nowhere")))
    tree = CandidateTree(
        name=None,
        file=None,
        user_id=None,
        owner=ME,
        metadata={},
        strict_priority=False,
        task_count=1000,
        tasks=tasks,
    )

    assert (len(policy.inboxd_validate_tree(tree)), len(asked)) == (100, 100)


def test_an_owner_s_rules_are_in_place_of_everybody_s() -> None:
    rules = {
        "executors": ["http"],
        "least_priority": 1,
        "owners": {str(ME): {"executors": ["*"]}, "4000000000": {"least_priority": 0}},
    }
    urgent = task(priority=0)

    assert found(rules, urgent, owner=ME) == [("out_of_range", "/tasks/0/priority")]
    assert found(rules, urgent, owner=4_000_000_000) == [("invalid_value", "/tasks/0/executor")]
    assert len(found(rules, urgent, owner=OTHER)) == 2
    assert found(rules, urgent, owner=None) == found(rules, urgent, owner=ME)


def test_an_owner_may_be_named() -> None:
    policy = policy_of({"owners": {"root": {"max_tasks": 7}}})

    assert (policy.rules_for(0).max_tasks, policy.rules_for(OTHER)) == (7, Rules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": ["a"]}, 'no rule "executor"; did you mean "executors"?'),
        ({"owner": {}}, 'no rule "owner"; did you mean "owners"?'),
        ({"owners": {"0": {"max_task": 1}}}, 'no rule "owners.0.max_task"; did you mean'),
        ({"owners": {"0": {"owners": {}}}}, 'no rule "owners.0.owners"'),
        ({"owners": {"nobody-at-all": {}}}, 'there is no user "nobody-at-all"'),
        ({"owners": {"0": {}, "root": {}}}, "owners.root: there are already rules for user 0"),
        ({"owners": []}, "owners: must be tables"),
        ({"owners": {"0": 1}}, "owners.0: must be a table"),
        ({"max_tasks": 0}, "max_tasks: must be a whole number from 1"),
        ({"max_tasks": True}, "max_tasks: must be a whole number"),
        ({"executors": "http"}, "executors: must be a list of texts"),
        ({"executors": [1]}, "executors: must be a list of texts"),
        ({"least_priority": 1000}, "least_priority: must be a whole number from 0 to 999"),
        ({"max_timeout": 0}, "max_timeout: must be more than 0"),
        ({"max_timeout": "soon"}, "max_timeout: a duration is"),
        ({"require_metadata": [""]}, "require_metadata: must be a list of texts"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        policy_of(options)


CONFIG = '[plugins.policy]\nexecutors = ["noop"]\nleast_priority = 1\n'


def test_a_file_that_breaks_a_rule_is_rejected_with_its_places(tmp_path: Path) -> None:
    text = '[{"id": "a", "executor": "noop"},\n {"id": "b", "executor": "command",\n'
    text += '  "priority": 0, "inputs": {"argv": ["true"]}}]'
    with DaemonUnderTest(tmp_path, plugin, config=CONFIG) as daemon:
        good = daemon.run([{"id": "a", "executor": "noop"}])
        errors = daemon.drop(text).errors()

    assert good["status"] == "completed"
    assert [(one["code"], one["pointer"], one["line"]) for one in errors] == [
        ("invalid_value", "/1/executor", 2),
        ("out_of_range", "/1/priority", 3),
    ]


def test_a_rule_with_a_typo_ends_the_start(tmp_path: Path) -> None:
    daemon = DaemonUnderTest(tmp_path, plugin, config="[plugins.policy]\nmax_task = 1\n")
    with pytest.raises(ConfigurationError, match='did you mean "max_tasks"'):
        daemon.start()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_rule_is_on_the_page_and_the_settings_there_are_settings() -> None:
    table = tomllib.loads(_blocks("toml")[0])["plugins"]["policy"]
    shown = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)

    assert policy_of(table).rules != Rules()
    assert shown == [one.name for one in fields(Rules)]


def test_the_file_on_the_page_is_refused_as_it_says(tmp_path: Path) -> None:
    # The page shows what a user is told who is not named there; the tests may run as root.
    config = _blocks("toml")[0].replace("owners.root", f"owners.{OTHER}")
    (tmp_path / "inboxd.toml").write_text(config)
    (tmp_path / "wrong.json").write_text(_blocks("json")[0])
    own = {name: text for name, text in os.environ.items() if not name.startswith("INBOXD_")}
    ended = subprocess.run(
        [sys.executable, "-m", "inboxd", "validate", "--config", "inboxd.toml", "wrong.json"],
        cwd=tmp_path,
        env={**own, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (4, _blocks("text")[0])
