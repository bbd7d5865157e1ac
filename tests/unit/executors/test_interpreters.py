"""Which arguments of a command line are code."""

from __future__ import annotations

import time

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
        "find . -exec sh -c CODE ;",
        "docker run IMAGE sh -c CODE",
        "podman exec -it c bash -lc CODE",
        "kubectl exec pod -- sh -c CODE",
        "runuser -u root -- sh -c CODE",
        "gosu user sh -c CODE",
        "tini -- sh -c CODE",
        "dumb-init bash -c CODE",
        "firejail --quiet sh -c CODE",
        "bwrap --ro-bind / / sh -c CODE",
        "unknown-launcher --of sh -o errexit sh -c CODE",
        "bash run.sh sh -c CODE",
        "pwsh -Command CODE CODE",
        "pwsh -NoProfile -ExecutionPolicy Bypass -c CODE",
        "docker run IMAGE pwsh -ENCODEDCOMMAND CODE",
        "pwsh -ec CODE",
        "pwsh --command CODE",
        "node --eval CODE",
        "node -r module --require other --eval CODE",
        "php -d a=b",
    ],
)
def test_the_code_is_what_the_interpreter_runs(line: str) -> None:
    assert code(line) == [word for word in line.split() if word == "CODE"]


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
        "docker run IMAGE curl -c ARG",
        "find . -exec grep -c ARG ;",
        "runuser -u user -- curl -c ARG",
        "pwsh script.ps1 -c ARG",
        "pwsh -NoProfile -File script.ps1 ARG",
        "sh -c echo sh ARG",
        "-c ARG",
        "",
    ],
)
def test_an_argument_of_a_program_is_no_code(line: str) -> None:
    assert "ARG" not in code(line)


@pytest.mark.parametrize("row", ["su", "sh", "sh -o", "python -W", "pwsh -x", "sh --", "su --"])
def test_many_interpreters_in_a_row_take_no_time(row: str) -> None:
    argv = row.split() * 50_000
    started = time.process_time()
    found = code_arguments([*argv, "sh", "-c", "CODE"])

    assert found[-1] == len(argv) + 2
    # For each of them through all that follow it would be hours.
    assert time.process_time() - started < 30


@pytest.mark.parametrize(
    "line",
    [
        *("sh", "sh -e", "bash -s ARG", "bash -", "python3", "python -", "perl", "node", "env sh"),
        *("docker run -i IMAGE sh", "runuser -u root -- sh", "tini -- bash -s", "pwsh -Command -"),
    ],
)
def test_an_interpreter_without_code_reads_it_on_stdin(line: str) -> None:
    assert reads_code(line.split())


@pytest.mark.parametrize(
    "line",
    ["cat", "sh -c CODE", "sh script", "python -m json.tool", "perl -ne CODE", "su user", ""],
)
def test_what_others_read_on_stdin_is_data(line: str) -> None:
    assert not reads_code(line.split())
