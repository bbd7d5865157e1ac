"""`[executors.python]`: what it allows, and what is refused of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.executors.python import PythonFunction
from inboxd.executors.python_settings import python_settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("allow", "named", "is_allowed"),
    [
        ("jobs:add", "jobs:add", True),
        ("jobs:add", "jobs:adds", False),
        ("jobs:*", "jobs:add", True),
        ("jobs:*", "jobs:Box.open", False),
        ("jobs:*.*", "jobs:Box.open", True),
        ("jobs:Box.o*", "jobs:Box.open", True),
        ("jobs.*:*", "jobs.night.sums:add", True),
        ("jobs.*:*", "jobs:add", False),
        ("*:*", "os:system", True),
        ("*:*", "os:_exit", False),
        ("*:*", "jobs:add.__globals__", False),
        ("*:*", "jobs:__import__", False),
        ("*:*", "_jobs:add", False),
        ("*:*", "jobs.__main__:add", False),
        ("*:*", "jobs:", False),
        ("*:*", ":add", False),
        ("*:*", "jobs:add:x", False),
        ("*:*", "..:add", False),
        ("*:*", "jobs:add\n", False),
        ("*:*", "../jobs:add", False),
        ("JOBS:*", "jobs:add", False),
    ],
)
def test_a_function_is_allowed_by_patterns(allow: str, named: str, is_allowed: bool) -> None:
    settings = python_settings({"allow": [allow]})

    assert (settings.problem_of(named) is None) == is_allowed


@pytest.mark.parametrize("named", [None, 7, ["jobs:add"], {"$secret": "x"}, ""])
def test_what_is_no_name_is_said_to_be_none(named: object) -> None:
    problem = python_settings({"allow": ["*:*"]}).problem_of(named)

    assert problem is not None
    assert "is written as package.module:function" in problem[0]


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("jbos:add", 'did you mean "jobs:add"? '),
        ("jobs:ad", 'did you mean "jobs:add"? '),
        ("other:thing", "the setting executors.python.allow = "),
    ],
)
def test_a_typo_is_told_from_what_nobody_allowed(named: str, hint: str) -> None:
    problem = python_settings({"allow": ["jobs:add", "tools.*:*"]}).problem_of(named)

    assert problem is not None
    assert problem[1].startswith(hint)
    assert f'the setting executors.python.allow = ["{named}"] allows it' in problem[1]


@pytest.mark.parametrize(
    ("params", "hints"),
    [
        ({"funtion": "jobs:add"}, ['did you mean "function"?']),
        ({"Function": "jobs:add", "more": 1}, ['did you mean "function"?', "the function's arg"]),
        ({"function": "jobs:add", "functions": 1}, ["the function's arguments stand in `inputs`"]),
    ],
)
def test_a_typo_in_a_param_is_one_error(params: dict[str, Any], hints: list[str]) -> None:
    executor = PythonFunction()
    executor.configure({"allow": ["jobs:add"]})
    problems = executor.params_problems(params)

    assert len(problems) == len(hints)
    assert all((one.hint or "").startswith(hint) for one, hint in zip(problems, hints, strict=True))


@pytest.mark.parametrize(
    ("allow", "function"),
    [([], "package.module:function"), (["a.*:*", "jobs:add"], "jobs:add")],
)
def test_the_example_names_what_is_allowed(allow: list[str], function: str) -> None:
    executor = PythonFunction()
    executor.configure({"allow": allow})

    assert executor.example_params == {"function": function}


def test_an_entry_with_its_own_name_counts_before_a_pattern() -> None:
    settings = python_settings({"allow": ["jobs:*", "jobs:add"]})
    found = settings.allowing("jobs:add")

    assert found is not None
    assert not found.is_pattern


def test_a_size_is_taken_in_units(tmp_path: Path) -> None:
    settings = python_settings({"max_memory": "1GiB", "path": [str(tmp_path)]})

    assert settings.max_memory_bytes == 2**30
    assert settings.path == (str(tmp_path.resolve()),)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allow": "jobs:add"}, "allow: a list of texts is wanted, not 'jobs:add'"),
        ({"allow": [1]}, "allow: a list of texts is wanted"),
        ({"allow": ["jobs:"]}, "is not of the form module:function"),
        ({"allow": ["a:b:c"]}, "is not of the form module:function"),
        ({"path": ["/etc/passwd"]}, "/etc/passwd is no directory"),
        ({"path": ["/\0"]}, "path: "),
        ({"max_memory": "much"}, "max_memory: "),
        ({"max_memory": 1}, "give at least 128MiB"),
        ({"allowed": []}, "there is no setting `allowed`; did you mean"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        python_settings(options)


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_directory_where_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    directory = tmp_path / "jobs"
    directory.mkdir()
    directory.chmod(mode)

    with pytest.raises(ValueError, match="others may write to"):
        python_settings({"path": [str(directory)]})


def test_a_directory_that_others_may_replace_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "open" / "jobs"
    directory.mkdir(parents=True)
    directory.parent.chmod(0o777)

    with pytest.raises(ValueError, match=f"others may write to {directory.parent}"):
        python_settings({"path": [str(directory)]})
