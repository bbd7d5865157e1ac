"""Which arguments of a command line are code."""

from __future__ import annotations

import pytest

from inboxd.executors.interpreters import code_arguments, reads_code


def code(line: str) -> list[str]:
    """Return the words of a command line that are code; `_` stands for a blank in a word."""
    argv = [word.replace("_", " ") for word in line.split()]
    return [argv[index] for index in code_arguments(argv)]


@pytest.mark.parametrize(
    "line",
    [
        "sh -c CODE",
        "/bin/sh -c CODE name ARG",
        "bash -ec CODE",
        "bash -c -e CODE ARG",
        "bash -euo pipefail -c CODE",
        "bash -euc -o pipefail CODE",
        "bash --norc --rcfile file -c CODE",
        "bash -c -- CODE",
        "bash +O extglob -c CODE ARG",
        "dash -c CODE",
        "zsh -ic CODE",
        "ksh93 -c CODE",
        "fish --command CODE",
        "busybox sh -c CODE",
        "env sh -c CODE",
        "env -i A=b C=d /usr/bin/bash -c CODE",
        "nice -n 5 timeout 9 sh -c CODE",
        "sudo -u x sh -c CODE",
        "su user --command CODE",
        "node --eval CODE",
        "node -r module --require other --eval CODE",
        "php -d a=b",
    ],
)
def test_the_code_is_what_the_interpreter_runs(line: str) -> None:
    assert code(line) == (["CODE"] if "CODE" in line else [])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python -c CODE ARG", ["-c", "CODE"]),
        ("python3.11 -I -W error -c CODE", ["-c", "CODE"]),
        ("/usr/bin/python3 -Ic CODE", ["-Ic", "CODE"]),
        ("python -cCODE ARG", ["-cCODE"]),
        ("perl -lane CODE file", ["-lane", "CODE"]),
        ("perl5.36 -E CODE", ["-E", "CODE"]),
        ("ruby -I lib -e CODE ARG", ["-e", "CODE"]),
        ("node -e CODE", ["-e", "CODE"]),
        ("node --eval=CODE", ["--eval=CODE"]),
        ("php -r CODE", ["-r", "CODE"]),
        ("lua5.4 -e CODE", ["-e", "CODE"]),
        ("fish -c CODE", ["-c", "CODE"]),
        ("su user -c CODE", ["-c", "CODE"]),
        ("flock /lock -c CODE", ["-c", "CODE"]),
        ("env -S sh_-c_CODE", ["sh -c CODE"]),
        ("env -Ssh_-c_CODE", ["-Ssh -c CODE"]),
        ("env --split-string=CODE", ["--split-string=CODE"]),
    ],
)
def test_an_option_that_may_hold_the_code_counts_too(line: str, expected: list[str]) -> None:
    assert code(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "echo -c ARG",
        "grep -e ARG file",
        "sh script.sh -c ARG",
        "sh -e script.sh ARG",
        "bash -- script -c ARG",
        "python script.py -c ARG",
        "python -m module -c ARG",
        "node server.js -e ARG",
        "perl script.pl -e ARG",
        "env A=ARG printenv A",
        "xargs echo -c ARG",
        "curl -c ARG",
        "-c ARG",
        "",
    ],
)
def test_an_argument_of_a_program_is_no_code(line: str) -> None:
    assert code(line) == []


@pytest.mark.parametrize(
    "line",
    ["sh", "sh -e", "bash -s ARG", "bash -", "python3", "python -", "perl", "node", "env sh"],
)
def test_an_interpreter_without_code_reads_it_on_stdin(line: str) -> None:
    assert reads_code(line.split())


@pytest.mark.parametrize(
    "line",
    ["cat", "sh -c CODE", "sh script", "python -m json.tool", "perl -ne CODE", "su user", ""],
)
def test_what_others_read_on_stdin_is_data(line: str) -> None:
    assert not reads_code(line.split())
