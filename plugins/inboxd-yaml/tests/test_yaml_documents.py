"""What a YAML file holds is what its JSON would hold, and what it cannot hold has a place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import inboxd_yaml
from inboxd.plugins.protocol import ParseProblem
from inboxd_yaml.document import read_document


def problem_of(text: str | bytes) -> ParseProblem:
    """Return what is wrong with a file."""
    with pytest.raises(ParseProblem) as caught:
        read_document(text if isinstance(text, bytes) else text.encode())
    return caught.value


@pytest.mark.parametrize(
    "word",
    [
        "no", "yes", "on", "off", "y", "n", "No", "NO", "tRUE", "nULL", "none", "nil",
        "12:30", "1:2:3", "1_000", "2026-11-24", "2026-11-24T10:00:00Z", "1e", "e1", ".", "-a", "+",
        "..1", "1.2.3", "0b11", "0o8", "0xg", "1e5e5", "0x", "0o", "=", "<", "-0x1f",
        "+0o17", "1,000", "٣", "inf", "nan", "Infinity", "NaN", ".Nan",
    ],
)  # fmt: skip
def test_a_word_that_only_looks_like_a_value_is_text(word: str) -> None:
    assert read_document(f"- {word}\n".encode()) == [word]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None),
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("FALSE", False),
        ("0", 0), ("-0", 0), ("12", 12), ("+12", 12), ("-12", -12), ("9" * 100, 10**100 - 1),
        ("0o17", 15), ("0x1F", 31), ("0.5", 0.5), (".5", 0.5), ("1.", 1.0), ("-1.5e3", -1500.0),
        ("1e3", 1000.0), ("1E-2", 0.01), ("+.5", 0.5),
        ("!!str 1", "1"), ("!!str", ""), ("! 1", "1"), ("!!int 1", 1), ("!!int '1'", 1),
        ("!!float 1", 1.0), ("!!null ''", None), ("!!bool true", True), ("'1'", "1"), ('"1"', "1"),
        ("!!seq [1]", [1]), ("!!map {a: 1}", {"a": 1}),
    ],
)  # fmt: skip
def test_the_core_schema_of_yaml_1_2_holds(word: str, value: object) -> None:
    (found,) = read_document(f"- {word}\n".encode())

    assert found == value
    assert type(found) is type(value)


def test_texts_of_several_lines_are_kept_as_yaml_says() -> None:
    text = b"""\
- |
  one
    two

  three
- >
  one
  two
- |-
  no end
- "a\\tb\\u00e4\\U0001F600\\/"
- 'it''s'
- plain
  goes on
"""

    assert read_document(text) == [
        "one\n  two\n\nthree\n", "one two\n", "no end", "a\tb\u00e4\U0001f600/", "it's",
        "plain goes on",
    ]  # fmt: skip


def test_json_is_yaml_too() -> None:
    text = b'{"tasks":[{"id":"a","inputs":{"n":[1,-2.5e-3,true,null,"x\\ny",{}]}}]}'

    assert read_document(text) == {
        "tasks": [{"id": "a", "inputs": {"n": [1, -0.0025, True, None, "x\ny", {}]}}]
    }


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_of_windows_is_read(newline: str) -> None:
    text = "\ufeffa: 1\nb: |\n  x\n  y\n".replace("\n", newline)

    assert read_document(text.encode()) == {"a": 1, "b": "x\ny\n"}


@pytest.mark.parametrize("directive", ["", "---\n", "%YAML 1.2\n---\n", "%YAML 1.1\n---\n"])
def test_a_document_may_be_marked(directive: str) -> None:
    assert read_document(f"{directive}- a # note\n...\n".encode()) == ["a"]


def test_an_alias_is_the_value_of_its_anchor() -> None:
    assert read_document(b"- &a [1]\n- *a\n- {x: *a}\n") == [[1], [1], {"x": [1]}]


def test_a_later_anchor_of_the_same_name_counts() -> None:
    assert read_document(b"- &a 1\n- *a\n- &a 2\n- *a\n") == [1, 1, 2, 2]


def test_an_alias_may_be_a_key() -> None:
    assert read_document(b"- &a name\n- {*a : 1}\n") == ["name", {"name": 1}]


def test_merging_gives_what_the_mapping_does_not_say_itself() -> None:
    text = b"""\
x-one: &one {a: 1, b: 1}
x-two: &two {b: 2, c: 2}
tasks:
- {<<: *one, b: 9}
- {b: 9, <<: [*two, *one]}
- <<: {d: 4}
- "<<": 5
"""
    found = read_document(text)

    assert isinstance(found, dict)
    assert found["tasks"] == [
        {"a": 1, "b": 9},
        {"a": 1, "b": 9, "c": 2},
        {"d": 4},
        {"<<": 5},
    ]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "invalid_json", (1, 1)),
        ("# only a note\n", "invalid_json", (1, 1)),
        ("~", "not_an_array", (1, 1)),
        ("\nhello", "not_an_array", (2, 1)),
        ("- a\n---\n- b\n", "invalid_json", (2, 1)),
        ("- a\n...\n- b\n", "invalid_json", (3, 1)),
        ("a: 1\nb: 2\na: 3\n", "duplicate_key", (3, 1)),
        ("- {x: {b: 1, 'b': 2}}", "duplicate_key", (1, 14)),
        ("<<: {a: 1}\n<<: {b: 1}\n", "duplicate_key", (2, 1)),
        ("- <<: 3\n", "wrong_type", (1, 7)),
        ("- <<: [{}, 3]\n", "wrong_type", (1, 12)),
        ("1: a", "wrong_type", (1, 1)),
        ("ä: 1\ntrue: a", "wrong_type", (2, 1)),
        ("~: a", "wrong_type", (1, 1)),
        ("x: {? [a] : b}", "wrong_type", (1, 7)),
        ("x:\n  ? {a: 1}\n  : b", "wrong_type", (2, 5)),
        ("- *a\n", "invalid_json", (1, 3)),
        ("- &a [*a]\n", "invalid_json", (1, 7)),
        ("- &a {x: [1, *a]}\n", "invalid_json", (1, 14)),
        ("ää: 007", "invalid_value", (1, 5)),
        ("- -01.5\n", "invalid_value", (1, 3)),
        ("- .inf\n", "not_finite", (1, 3)),
        ("- -.INF\n", "not_finite", (1, 3)),
        ("- .nan\n", "not_finite", (1, 3)),
        ("- 1e999\n", "not_finite", (1, 3)),
        (f"- {'1' * 101}\n", "out_of_range", (1, 3)),
        (f"- 1.{'1' * 100}\n", "out_of_range", (1, 3)),
        (f"- {'9' * 5000}\n", "out_of_range", (1, 3)),
        (f"- 0x{'f' * 101}\n", "out_of_range", (1, 3)),
        ("- !!bool no\n", "wrong_type", (1, 3)),
        ("- !!int 1.5\n", "wrong_type", (1, 3)),
        ("- !!binary aGk=\n", "invalid_value", (1, 3)),
        ("- !!timestamp 2026-11-24\n", "invalid_value", (1, 3)),
        ("- !!set {a}\n", "invalid_value", (1, 3)),
        ("- !Ref x\n", "invalid_value", (1, 3)),
        ("- !<tag:example.org,2026:x> {}\n", "invalid_value", (1, 3)),
        ("- !!map [a]\n", "invalid_value", (1, 3)),
        ("a:\n\t- b\n", "invalid_json", (2, 1)),
        ("a:\n  - b\n \t- c\n", "invalid_json", (3, 2)),
        ("a: b: c\n", "invalid_json", (1, 5)),
        ("a: [1, 2\n", "invalid_json", (2, 1)),
        ("a: {b: 1\n", "invalid_json", (2, 1)),
        ("- a\n- 'b\n", "invalid_json", (2, 3)),
        ("- @home\n", "invalid_json", (1, 3)),
        ("- `ls`\n", "invalid_json", (1, 3)),
        ("x:\n  - a\n - b\n", "invalid_json", (3, 2)),
        ('- "\\ud83d\\ude00"\n', "invalid_json", (1, 6)),
        ('- "\\q"\n', "invalid_json", (1, 4)),
        ("- a\x07b\n", "invalid_json", (1, 4)),
        ("- ok\n- 'a\x00'\n", "invalid_json", (2, 5)),
        ("- ä\u2028b\n", "invalid_json", (1, 4)),
        ("- a\x85b\n", "invalid_json", (1, 4)),
        ("%YAML 2.0\n---\n- a\n", "invalid_json", (1, 1)),
        (b"- a\n- \xe4\n", "not_utf8", (2, 3)),
        ("- a\n".encode("utf-16"), "not_utf8", (1, 1)),
        ("- a\n".encode("utf-16-be"), "not_utf8", (1, 1)),
        ("[" * 1_500, "too_deep", (1, 1001)),
        ("- " * 50_000, "too_deep", (1, 1999)),
        ("{a: " * 100_000, "too_deep", (1, 4001)),
    ],
)
def test_what_cannot_be_read_has_a_code_and_a_place(
    text: str | bytes, code: str, place: tuple[int, int]
) -> None:
    problem = problem_of(text)

    assert (problem.code, (problem.line, problem.column)) == (code, place)
    assert problem.message
    assert problem.hint or code == "wrong_type"


@pytest.mark.parametrize("text", ["a:\n\t- b\n", "tasks:\n  - id: a\n\tb: c\n", "a: |\n\tb\n"])
def test_a_tab_is_called_a_tab(text: str) -> None:
    assert problem_of(text).message == "a tab stands here, and YAML is indented with spaces"


def test_merging_without_end_is_refused_before_it_takes_the_memory() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(1_000))
    merges = "".join(f"- {{<<: *all, x{number}: 1}}\n" for number in range(1_100))

    problem = problem_of(f"- &all {{{keys}}}\n{merges}")

    assert (problem.code, problem.line) == ("too_large", 1_002)


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {file}']",
        "!!python/object/new:os.system ['touch {file}']",
        "!!python/object/apply:subprocess.check_call [[touch, '{file}']]",
        "!!python/name:os.system ''",
        "!!python/module:os ''",
        "!!python/object:builtins.object {{}}",
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {file}']",
        "!!ruby/object:Gem::Installer {{}}",
    ],
)
def test_a_hostile_tag_runs_nothing(tag: str, tmp_path: Path) -> None:
    file = tmp_path / "made"

    problem = problem_of(f"- id: a\n- {tag.format(file=file)}\n")

    assert problem.code == "invalid_value"
    assert (problem.line, problem.column) == (2, 3)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing at all


def test_the_hook_leaves_other_files_to_others() -> None:
    assert inboxd_yaml.inboxd_parse_file(path=Path("a.toml"), data=b"- a") is None


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_the_hook_reads_both_suffixes(suffix: str) -> None:
    assert suffix in inboxd_yaml.inboxd_file_suffixes()
    assert inboxd_yaml.inboxd_parse_file(path=Path(f"a{suffix}"), data=b"- a") == ["a"]
