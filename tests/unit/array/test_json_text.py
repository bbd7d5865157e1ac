"""What is no JSON, or JSON that cannot be kept: its code, its place, and what to do."""

from __future__ import annotations

import pytest

from .checking import accepted, codes, only_problem, rejected

_A = b'{"id":"a","executor":"noop"'


@pytest.mark.parametrize(
    ("text", "code", "pointer", "line", "column"),
    [
        (b"", "invalid_json", "", 1, 1),
        (b" \n\t ", "invalid_json", "", 1, 1),
        (b"[", "invalid_json", "/0", 1, 2),
        (b"[" + _A, "invalid_json", "/0/executor", 1, 29),
        (b"[" + _A + b"}", "invalid_json", "/0", 1, 30),
        (b"[" + _A + b"},]", "invalid_json", "", 1, 30),
        (b"[" + _A + b",}]", "invalid_json", "/0", 1, 29),
        (b"[" + _A + b"} " + _A + b"}]", "invalid_json", "/0", 1, 31),
        (b"[" + _A + b"}] []", "invalid_json", "", 1, 32),
        (b"[" + _A + b"}]\x00", "invalid_json", "", 1, 31),
        (b"[" + _A + b"}]\n[" + _A + b"}]", "invalid_json", "", 2, 1),
        (b"{'tasks': []}", "invalid_json", "", 1, 2),
        (b"[\n  // first\n  {}]", "invalid_json", "/0", 2, 3),
        (b"[{id: 1}]", "invalid_json", "/0", 1, 3),
        (b'[{"id" "a"}]', "invalid_json", "/0/id", 1, 8),
        (b'[{"id": "a}]', "invalid_json", "/0/id", 1, 9),
        (b'[{"id": "a\nb"}]', "invalid_json", "/0/id", 1, 11),
        (b'[{"id": "a\\x"}]', "invalid_json", "/0/id", 1, 11),
        (b'[{"id": "\\u12g4"}]', "invalid_json", "/0/id", 1, 10),
        (b'[{"id": True}]', "invalid_json", "/0/id", 1, 9),
        (b'[{"id": .5}]', "invalid_json", "/0/id", 1, 9),
        (b'[{"id": 1.}]', "invalid_json", "/0/id", 1, 10),
        (b'[{"id": 01}]', "invalid_json", "/0/id", 1, 10),
        (b'[{"id": +1}]', "invalid_json", "/0/id", 1, 9),
        (b'[{"id": 0x1F}]', "invalid_json", "/0/id", 1, 10),
        (b'[{"id": "\\ud800"}]', "invalid_json", "/0/id", 1, 10),
        (b'[{"id": "\\ude00"}]', "invalid_json", "/0/id", 1, 10),
        (b'[{"id": "\\ud800\\u0041"}]', "invalid_json", "/0/id", 1, 10),
        (b'[{"\\ud800": 1}]', "invalid_json", "/0", 1, 4),
        (b"\xef\xbb\xbf[]", "invalid_json", "", 1, 1),
        (b"[] trailing", "invalid_json", "", 1, 4),
        (b'{"tasks": [] "name": 1}', "invalid_json", "/tasks", 1, 14),
        (b'{"tasks": [],}', "invalid_json", "", 1, 13),
        (b'{"tasks": []', "invalid_json", "/tasks", 1, 13),
        ("[{\u201cid\u201d: 1}]".encode(), "invalid_json", "/0", 1, 3),
        ("[{}]".encode("utf-16"), "not_utf8", "", 1, 1),
        ("[{}]".encode("utf-16-le"), "not_utf8", "", 1, 1),
        ("[{}]".encode("utf-16-be"), "not_utf8", "", 1, 1),
        ("[{}]".encode("utf-32"), "not_utf8", "", 1, 1),
        ('[{"id": "caf\u00e9"}]'.encode("latin-1"), "not_utf8", "/0/id", 1, 13),
        (b'[{"id": "\xed\xa0\x80"}]', "not_utf8", "/0/id", 1, 10),
        (b'[{"id": "\xc0\x80"}]', "not_utf8", "/0/id", 1, 10),
        (b'[{"\xff": 1}]', "not_utf8", "/0", 1, 4),
        (b"[\xff]", "not_utf8", "/0", 1, 2),
        (b'[{"id": "\xff\n"}]', "not_utf8", "/0/id", 1, 10),
    ],
)
def test_broken_text_is_refused_where_it_breaks(
    text: bytes, code: str, pointer: str, line: int, column: int
) -> None:
    problem = rejected(text)[-1]

    assert (code, pointer, line, column) == (
        problem.code,
        problem.pointer,
        problem.line,
        problem.column,
    )


def test_a_column_counts_characters_not_bytes() -> None:
    before = '[{"id":"a","description":"日本語 😀","executor":'
    problem = only_problem(before + '"nope"}]')

    assert problem.column == len(before) + 1


def test_lines_are_counted_by_line_feeds() -> None:
    problem = only_problem('[\r\n{"id":"a",\r\n"executor":"nope"}]')

    assert (problem.line, problem.column) == (3, 12)


@pytest.mark.parametrize(
    "text",
    [
        b' \t\r\n[{"id":"a","executor":"noop"}]\n\n',
        b'[{"id":"a","executor":"noop","inputs":{"x":"\\ud83d\\ude00 \\\\ud800 \\/ \\u0000"}}]',
        b'[{"id":"a","executor":"noop","inputs":{"n":[1e-999,-0,0.0,1E5,1e+5,-1.5e-3]}}]',
        b'[{"id":"a","executor":"noop","inputs":{"a:b":":","c" : {"d"\n:"\\":"}}}]',
        b'[{"id":"a","executor":"noop","inputs":{"a\\u003a":"\\u003A","b":"\\\\u003a"}}]',
        b'[{"\\u0069d":"a","executor":"noop"}]',
        b'[{"id":"a","executor":"noop","inputs":{"digits":"' + b"7" * 200 + b'"}}]',
        b'[{"id":"a","executor":"noop","inputs":{"n":' + b"7" * 100 + b"}}]",
        b'[{"id":"a","executor":"noop","inputs":{"n":1.' + b"7" * 98 + b"e1}}]",
        '[{"id":"a","executor":"noop","name":"Ünïcode 日本語 😀"}]'.encode(),
    ],
)
def test_unusual_but_valid_text_is_accepted(text: bytes) -> None:
    assert accepted(text).task_count == 1


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ('{"a":1,"a":2}', "/0/inputs/a"),
        ('{"a":1,"b":0,"\\u0061":2}', "/0/inputs/a"),
        ('{"x":[{"a":1,"a":1}]}', "/0/inputs/x/0/a"),
        ('{"a" :1,"a":2}', "/0/inputs/a"),
        ('{"a":"\\u003a","a":2}', "/0/inputs/a"),
        ('{"a":"\\u003a","b":"x","c":1,"a":2}', "/0/inputs/a"),
        ('{"":1,"":2}', "/0/inputs/"),
        ('{"a/b~":1,"a/b~":2}', "/0/inputs/a~1b~0"),
        ('{"é":1,"\\u00e9":2}', "/0/inputs/é"),
    ],
)
def test_a_key_that_stands_twice_is_found_at_any_depth(inputs: str, pointer: str) -> None:
    text = f'[{{"id":"a","executor":"noop","inputs":{inputs}}}]'

    assert [("duplicate_key", pointer)] == codes(text)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('[{"id":"a","id":"b","executor":"noop"}]', "/0/id"),
        ('[{"id":"a","executor":"noop","x-a":1,"x-a":1}]', "/0/x-a"),
        ('{"name":"n","tasks":[{"id":"a","executor":"noop"}],"name":"n"}', "/name"),
        ('{"tasks":[{"id":"a","executor":"noop"}],"tasks":[]}', "/tasks"),
        (
            '{"defaults":{"priority":1,"priority":1},"tasks":[{"id":"a","executor":"noop"}]}',
            "/defaults/priority",
        ),
        (
            '[{"id":"a","executor":"noop"},{"id":"b","executor":"noop",'
            '"dependencies":[{"id":"a","id":"a"}]}]',
            "/1/dependencies/0/id",
        ),
        ('[{"id":"a","executor":"noop","retry":{"limit":1,"limit":1}}]', "/0/retry/limit"),
        (
            '[{"id":"a","executor":"noop","schemas":{"input_schema":{"type":"object",'
            '"type":"object"}}}]',
            "/0/schemas/input_schema/type",
        ),
    ],
)
def test_a_field_that_stands_twice_is_an_error(text: str, pointer: str) -> None:
    assert [("duplicate_key", pointer)] == codes(text)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("NaN", "not_finite"),
        ("Infinity", "not_finite"),
        ("-Infinity", "not_finite"),
        ("1e999", "not_finite"),
        ("-1e999", "not_finite"),
        ("1" * 101, "out_of_range"),
        ("1." + "0" * 101, "out_of_range"),
        ("0." + "1" * 50 + "e" + "0" * 51, "out_of_range"),
        ("1" * 5_000, "out_of_range"),
    ],
)
@pytest.mark.parametrize("key", ["inputs", "params", "metadata"])
def test_a_number_that_cannot_be_kept_is_an_error(number: str, code: str, key: str) -> None:
    text = f'[{{"id":"a","executor":"noop","{key}":{{"n":[{number}]}}}}]'

    assert [(code, f"/0/{key}/n/0")] == codes(text)


def test_errors_of_form_and_of_meaning_are_reported_together_in_order() -> None:
    text = (
        '[{"id":"a","executor":"nope","inputs":{"n":NaN,"a":1,"a":1}},{"id":"a","executor":"noop"}]'
    )

    assert codes(text) == [
        ("unknown_executor", "/0/executor"),
        ("not_finite", "/0/inputs/n"),
        ("duplicate_key", "/0/inputs/a"),
        ("duplicate_id", "/1/id"),
    ]


def test_what_comes_before_broken_text_is_reported_too() -> None:
    text = '[{"id":"a","executor":"noop","priority":"x"},{"id":"b" "executor":"noop"}]'

    assert codes(text) == [("wrong_type", "/0/priority"), ("invalid_json", "/1/id")]


def _nested(depth: int) -> str:
    """Return an array whose innermost object is the *depth*-th of those inside each other."""
    opened = depth - 3
    inside = '{"x":' * opened + "1" + "}" * opened
    return f'[{{"id":"a","executor":"noop","inputs":{{"x":{inside}}}}}]'


def test_nesting_of_64_levels_is_accepted_and_one_more_is_not() -> None:
    assert codes(_nested(64)) == []
    assert codes(_nested(65)) == [("too_deep", "/0/inputs" + "/x" * 62)]


def test_an_envelope_counts_as_a_level() -> None:
    text = '{"tasks":' + _nested(63) + "}"

    assert codes(text) == []
    assert codes('{"tasks":' + _nested(64) + "}")[0][0] == "too_deep"


def test_brackets_in_texts_do_not_hide_depth() -> None:
    # What closes in texts what is open outside of them, and opens it again.
    deep = '["]",' * 64 + "1" + ',"["]' * 64

    assert [
        code for code, _ in codes(f'[{{"id":"a","executor":"noop","inputs":{{"x":{deep}}}}}]')
    ] == ["too_deep"]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_of_100_000_is_refused_without_recursion(opening: str) -> None:
    text = '[{"id":"a","executor":"noop","inputs":{"x":' + opening * 100_000

    assert [code for code, _ in codes(text)] == ["too_deep"]


def test_a_depth_that_the_decoder_cannot_reach_is_refused_whatever_the_limit() -> None:
    deep = "[" * 900 + "]" * 900
    text = f'[{{"id":"a","executor":"noop","inputs":{{"x":{deep}}}}}]'

    assert only_problem(text, max_depth=5_000).code == "too_deep"


def test_a_file_over_the_limit_is_refused_unread() -> None:
    problem = only_problem(b"[" + b" " * 100, max_bytes=100)

    assert (problem.code, problem.line, problem.column) == ("too_large", None, None)


def test_more_tasks_than_the_limit_are_refused_at_the_first_too_many() -> None:
    tasks = [{"id": f"t{number}", "executor": "noop"} for number in range(4)]

    assert codes(tasks, max_tasks=4) == []
    assert codes(tasks, max_tasks=3) == [("too_many_tasks", "/3")]


def test_a_problem_reads_like_the_contract_says() -> None:
    text = """{ "tasks": [
  {"id": "fetch_data", "executor": "noop"},
  {"id": "count", "executor": "noop", "dependencies": ["fetch"]}
]}"""

    assert str(only_problem(text)) == (
        '/tasks/1/dependencies/0: no task "fetch" in this file; did you mean "fetch_data"? '
        "(line 3, column 56)"
    )


def test_only_the_first_100_problems_are_reported() -> None:
    text = "[" + ",".join(f'{{"id":"a{n}","executor":"nope","prio":1}}' for n in range(80)) + "]"
    problems = rejected(text)

    assert len(problems) == 100
    assert [problem.code for problem in problems] == ["unknown_executor", "unknown_field"] * 50
    assert problems[-1].pointer == "/49/prio"


@pytest.mark.parametrize("number", ["NaN", "1e999", "1" * 101])
def test_a_number_that_cannot_be_kept_has_no_second_error(number: str) -> None:
    own = f'[{{"id":"a","executor":"noop","priority":{number}}}]'
    schema = f'[{{"id":"a","executor":"noop","schemas":{{"input_schema":{{"minimum":{number}}}}}}}]'

    assert [pointer for _, pointer in codes(own)] == ["/0/priority"]
    assert [pointer for _, pointer in codes(schema)] == ["/0/schemas/input_schema/minimum"]
