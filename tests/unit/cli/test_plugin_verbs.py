"""`inboxd plugins` and `inboxd executors`: what there is, what is broken and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., tuple[int, str, str]]

RESIZE = """
from inboxd.plugins.hookspecs import hookimpl

class Resize:
    name = "resize"
    description = "Makes pictures smaller."
    inputs_schema = {
        "type": "object",
        "properties": {
            "width": {"type": "integer", "minimum": 16, "description": "In pixels."},
            "mode": {"enum": ["fit", "fill"], "default": "fit"},
        },
        "required": ["width"],
        "additionalProperties": False,
    }
    isolation = "thread"
    def execute(self, inputs, context):
        return None

class Odd(Resize):
    name = "odd"
    inputs_schema = {"properties": {"a": {"pattern": "^[0-9]+$"}}, "required": ["a"]}

@hookimpl
def inboxd_executors():
    return [Resize(), Odd()]
"""
VERBOSE = """
import click
from inboxd.plugins.hookspecs import hookimpl

@hookimpl
def inboxd_commands(cli):
    cli.add_command(click.Command("greet"))
    cli.add_command(click.Command("list"))
"""
MAKER = """
from inboxd.plugins.hookspecs import hookimpl

class Made:
    description = "Made."
    inputs_schema = None
    isolation = "thread"
    def __init__(self, name):
        self.name = name
    def execute(self, inputs, context):
        return None

@hookimpl
def inboxd_resolve_executor(name, task):
    return Made(name) if name.startswith("made-") else None
"""
BROKEN = """
def prepare():
    raise RuntimeError("no \\x1b[31m licence")

prepare()
"""


class Site:
    """A directory on sys.path into which distributions are written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.modules: list[str] = []

    def install(self, name: str, source: str) -> None:
        (self.path / f"{name}.py").write_text(source)
        self.modules.append(name)
        info = self.path / f"{name}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[inboxd]\n{name} = {name}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = Site(path)
    yield made
    for name in made.modules:
        sys.modules.pop(name, None)


def by_name(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in items}


def test_a_plugin_is_listed_with_its_distribution_and_what_it_brings(run: Run, site: Site) -> None:
    site.install("pictures", RESIZE)

    code, out, _ = run("plugins")
    line = next(line for line in out.splitlines() if line.startswith("pictures"))

    assert code == 0
    assert line.split()[1:3] == ["pictures", "1.5"]
    assert line.endswith("executors odd, resize")


def test_a_broken_plugin_is_named_with_reason_and_traceback(run: Run, site: Site) -> None:
    site.install("broken", BROKEN)

    code, out, _ = run("plugins")

    assert code == 0
    assert "broken of broken 1.5: cannot be used: broken cannot be used: RuntimeError: no" in out
    assert f'File "{site.path}/broken.py", line 3, in prepare' in out
    assert "\x1b" not in out


def test_the_verbs_of_a_plugin_are_named_and_one_that_is_not_there(run: Run, site: Site) -> None:
    site.install("verbose", VERBOSE)

    _, out, _ = run("plugins")
    _, document, _ = run("plugins", "--json")
    _, found, _ = run("doctor")

    assert any(line.endswith(" verb greet") for line in out.splitlines())
    assert by_name(json.loads(document)["plugins"])["verbose"]["verbs"] == ["greet"]
    assert 'the verb "list" is inboxd\'s own' in out
    assert 'the verb "list" is inboxd\'s own' in found


def test_the_json_of_plugins_has_the_traceback_and_what_is_kept_out(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("broken", BROKEN)
    site.install("pictures", RESIZE)
    site.install("unwanted", RESIZE)
    monkeypatch.setenv("INBOXD_PLUGINS__DISABLE", '["unwanted"]')
    monkeypatch.setenv("INBOXD_EXECUTORS__RESIZE__ENABLED", "false")

    _, out, _ = run("plugins", "--json")
    document = json.loads(out)
    pictures = by_name(document["plugins"])["pictures"]
    broken = by_name(document["broken"])["broken"]

    assert (pictures["version"], pictures["executors"]) == ("1.5", ["odd", "resize"])
    assert pictures["switched_off"] == ["resize"]
    assert broken["traceback"].startswith("Traceback")
    assert document["disabled"] == ["unwanted"]


def test_doctor_names_the_culprit_with_its_traceback_and_fails(run: Run, site: Site) -> None:
    site.install("broken", BROKEN)

    code, out, _ = run("doctor")
    _, document, _ = run("doctor", "--json")
    details = [each["details"] for each in json.loads(document)["checks"] if each["details"]]

    assert code == 1
    assert "broken of broken cannot be used" in out
    assert f'File "{site.path}/broken.py", line 3, in prepare' in out
    assert len(details) == 1


def test_executors_are_listed_also_one_that_is_switched_off(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("pictures", RESIZE)
    monkeypatch.setenv("INBOXD_EXECUTORS__RESIZE__ENABLED", "false")

    code, out, _ = run("executors")
    _, document, _ = run("executors", "--json")
    found = by_name(json.loads(document)["executors"])

    assert code == 0
    assert "thread     pictures 1.5" in out
    assert "switched off: Makes pictures smaller." in out
    assert (found["resize"]["enabled"], found["odd"]["enabled"]) == (False, True)


def test_an_executor_is_shown_with_inputs_settings_and_an_example(run: Run, site: Site) -> None:
    site.install("pictures", RESIZE)

    code, out, _ = run("executors", "resize")
    example = json.loads(out.partition("Example:\n")[2])
    lines = [" ".join(line.split()) for line in out.splitlines()]

    assert code == 0
    assert "width integer required In pixels." in lines
    assert 'mode "fit" or "fill" "fit"' in lines
    assert "others are refused" in out
    assert "[executors.resize]\n  enabled = true" in out
    assert example == [{"id": "example", "executor": "resize", "inputs": {"width": 16}}]


def test_no_example_is_shown_that_would_be_refused(run: Run, site: Site) -> None:
    site.install("pictures", RESIZE)

    _, out, _ = run("executors", "odd", "--json")

    assert json.loads(out)["example"] is None


def test_an_example_that_waits_for_a_setting_says_for_which(run: Run) -> None:
    _, out, _ = run("executors", "python")
    _, document, _ = run("executors", "python", "--json")
    found = json.loads(document)
    note, _, text = out.partition("Example:\n")[2].partition("\n")

    assert json.loads(text) == [found["example"]]
    assert found["example"]["params"] == {"function": "package.module:function"}
    assert note == f"  refused as things are: {found['example_problem']}"
    assert "the setting executors.python.allow" in note


def test_an_example_that_a_setting_allows_is_shown_without_a_word(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INBOXD_EXECUTORS__PYTHON__ALLOW", '["jobs:add"]')
    _, out, _ = run("executors", "python", "--json")
    found = json.loads(out)

    assert found["example"]["params"] == {"function": "jobs:add"}
    assert found["example_problem"] is None


def test_an_executor_that_a_plugin_makes_when_asked_is_shown(run: Run, site: Site) -> None:
    site.install("maker", MAKER)

    code, out, _ = run("executors", "made-here", "--json")
    found = json.loads(out)

    assert code == 0
    assert (found["name"], found["plugin"], found["version"]) == ("made-here", "maker", "1.5")
    assert found["example"]["inputs"] == {}


def test_an_unknown_executor_is_not_found_and_the_nearest_is_named(run: Run) -> None:
    code, out, err = run("executors", "comand")

    assert (code, out) == (3, "")
    assert 'no executor "comand"; did you mean "command"?' in err


def test_a_broken_plugin_is_pointed_at_beside_the_executors(run: Run, site: Site) -> None:
    site.install("broken", BROKEN)

    _, _, err = run("executors")

    assert "see `inboxd plugins`" in err


def test_the_example_of_each_executor_of_this_repository_is_valid(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = run("executors", "--json")
    names = [each["name"] for each in json.loads(out)["executors"]]
    if "python" in names:  # which takes nothing until it is told what it may run
        monkeypatch.setenv("INBOXD_EXECUTORS__PYTHON__ALLOW", '["*:*"]')
    examples: dict[str, Any] = {}
    for name in names:
        _, out, _ = run("executors", name, "--json")
        examples[name] = json.loads(out)["example"]
    file = tmp_path / "examples.json"
    tasks = [{**example, "id": f"t{n}"} for n, example in enumerate(examples.values()) if example]
    file.write_text(json.dumps(tasks))

    assert {name for name, example in examples.items() if example is None} == set()
    assert run("validate", str(file))[0] == 0


def test_the_composed_schema_marks_a_typo_in_the_inputs_of_a_plugin(run: Run, site: Site) -> None:
    import jsonschema_rs

    site.install("pictures", RESIZE)

    _, out, _ = run("schema")
    validator = jsonschema_rs.validator_for(json.loads(out))

    assert validator.is_valid([{"id": "a", "executor": "resize", "inputs": {"width": 20}}])
    assert not validator.is_valid([{"id": "a", "executor": "resize", "inputs": {"widht": 20}}])


def checks(run: Run, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("doctor", "--json", *arguments)[1])["checks"]
    return found


def test_a_distribution_that_cannot_be_read_is_named_until_it_is_kept_out(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("damaged", BROKEN)
    (site.path / "damaged-1.5.dist-info" / "METADATA").write_bytes(b"Name: \xff\xfe\n")

    code, out, _ = run("plugins")
    assert code == 0
    assert "damaged" in out
    assert json.loads(run("plugins", "--json")[1])["broken"][0]["version"] is None
    monkeypatch.setenv("INBOXD_PLUGINS__DISABLE", '["damaged"]')
    assert json.loads(run("plugins", "--json")[1])["broken"] == []
    levels = {each["level"] for each in checks(run) if "damaged" in each["message"]}
    assert levels == {"ok"}


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        (
            '[executors."bad name"]\nargv = ["true"]\n',
            '[executors."bad name"]: an executor\'s name',
        ),
        ("[executors.command]\nenabled = false\nx = 1\n", "[executors.command]: this executor"),
    ],
)
def test_settings_that_no_executor_could_have_are_no_good(
    run: Run, tmp_path: Path, toml: str, problem: str
) -> None:
    config = tmp_path / "c.toml"
    config.write_text(toml)

    code, _, err = run("config", "check", "--config", str(config))
    found = [one["message"] for one in checks(run, "--config", str(config))]

    assert (code, err.count("[executors.")) == (78, 1)
    assert problem in err
    assert sum(problem in message for message in found) == 1
    assert not [message for message in found if "cannot be used" in message]


def test_doctor_says_that_the_program_of_an_executor_is_not_there(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[executors.resize]\nargv = ["/nonexistent/x"]\n')

    (found,) = [
        one for one in checks(run, "--config", str(config)) if "/nonexistent" in one["message"]
    ]

    assert (found["level"], found["check"]) == ("fail", "executors.resize")
    assert found["advice"] == "install it, or mend [executors.resize] argv"


def test_a_program_that_takes_the_name_of_a_plugins_executor_is_pointed_at(
    run: Run, site: Site, tmp_path: Path
) -> None:
    site.install("pictures", RESIZE)
    config = tmp_path / "c.toml"
    config.write_text('[executors.resize]\nargv = ["true"]\n')

    (found,) = [one for one in checks(run, "--config", str(config)) if one["level"] == "fail"]

    assert "[executors.resize] has an argv, and so takes its name" in found["message"]
    assert found["advice"] == (
        "take argv out of [executors.resize], or give the program a table of another name"
    )


def test_doctor_names_what_keeps_no_plugin_out(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("pictures", RESIZE)
    monkeypatch.setenv("INBOXD_PLUGINS__DISABLE", '["picturs"]')

    (found,) = [each for each in checks(run) if "picturs" in each["message"]]

    assert found["level"] == "warn"
    assert 'did you mean "pictures"?' in found["message"]
