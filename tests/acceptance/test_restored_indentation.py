"""Giving a program its indentation back: on programs of our own that have lost theirs."""

from __future__ import annotations

import textwrap
import tokenize

import pytest

from .seed_programs import LostIndentation, programs_of_page, restore_indentation

#: Each of them must come out as it is here, from its lines without their blanks.
PROGRAMS = {
    "a def ends at the next one": '''
        import json

        def first(a, b):
            # Adds.
            c = a + b  # ) not closed: a comment
            return c


        async def second():
            """One."""
            return 2


        # This says what is at the top level.
        @decorated
        def third(
            a,
            b,
        ):
            return a
    ''',
    "an if holds one statement": """
        def main():
            a = 1
            if a == 1:
                print("one")
            # Between.
            if a == 2:  # no
                # Inside.
                print("two")
            print("end")

        if __name__ == "__main__":
            main()
        print("and on")
    """,
    "an if in an if": """
        def main():
            if a:
                if b:
                    call(
                        c
                    )
            d = 1
    """,
    "a body on the line of its header": """
        if a: b = 1
        c = 2
        def f(): return 1
        d = {1: 2}
    """,
    "an if over several lines": """
        if (
            a
            and b
        ):
            c = 1
        d = 2
    """,
    "brackets": """
        def main():
            tasks = [
                {
                    "id": "a:",
                    "text": ")]}",
                    "nested": {"x": [1, 2]}
                },
                # Alone.
                (
                    1
                )
            ]
            call({
                    "two": "levels"
            })
            return tasks[
                0
            ]
    """,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_gets_back_what_it_lost(program: str) -> None:
    program = textwrap.dedent(program).lstrip()
    lost = "\n".join(line.strip() for line in program.splitlines())

    assert restore_indentation(lost) == program
    compile(program, "program", "exec")


def test_strings_keep_their_lines() -> None:
    lost = 'def f():\ntext = """one\ntwo\n)""" + (\nf"""{\na}\n{b}"""\n)\nreturn text\n'
    found = {"a": 1, "b": 2}
    exec(restore_indentation(lost), found)  # noqa: S102 - a program of our own

    assert found["f"]() == "one\ntwo\n)1\n2"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("for a in b:\nc = 1\n", "line 1: nothing ends 'for'"),
        ("if a:\nb = 1\nelse:\nc = 1\n", "line 3: nothing ends 'else'"),
        ("async with a:\nb = 1\n", "line 1: nothing ends 'with'"),
        ("# One.\nclass A:\nb = 1\n", "line 2: nothing ends 'class'"),
        ("if a:\n# Two.\ndef f():\nreturn 1\n", "line 3: 'if' has no body"),
        ("def f():\nif __name__ == 'a':\nb = 1\n", "line 2: 'def' has no body"),
        ("def f():\n# That is all.\n", "at the end: 'def' has no body"),
        ("def f():\n    return 1\n", "line 2: it is indented already"),
    ],
)
def test_what_does_not_show_its_end_is_refused(text: str, message: str) -> None:
    with pytest.raises(LostIndentation) as caught:
        restore_indentation(text)

    assert str(caught.value) == message


def test_a_bracket_without_its_end_is_refused() -> None:
    with pytest.raises(tokenize.TokenError):
        restore_indentation("a = (\n1\n")


def test_programs_stand_between_an_import_and_the_next_heading() -> None:
    page = """Title¶
Prose: from here on.
import is a word, too
One¶
Does one thing:
import one
if one:
print(1)
Two¶
from two import (
three
)
Only words¶
- Use words
Last¶
import last"""

    assert programs_of_page(page) == [
        "import one\nif one:\n    print(1)\n",
        "from two import (\n    three\n)\n",
        "import last\n",
    ]
