"""
Pure: which arguments of a command line an interpreter runs as code.

A value that came from elsewhere must not stand there: `sh -c "rm {{ … }}"` does whatever the value
says. In doubt an argument counts as code: data has other ways.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["code_arguments", "reads_code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Interpreter:
    """How a program is told to run code that stands among its arguments."""

    #: Letters of options that bring code: in the same word behind them, or in the next.
    letters: str = ""
    #: Long options that bring code.
    words: tuple[str, ...] = ()
    #: Letters of options whose value may be the next word.
    with_value: str = ""
    #: Letters of options behind which a program's own arguments begin.
    ends: str = ""
    #: As in POSIX, `sh [-options] -c [-options] command_string [name [argument…]]`: the code is the
    #: first word that is no option, wherever among the options `-c` stands.
    is_shell: bool = False
    #: Its options may stand behind other words.
    anywhere: bool = False


_SHELL = _Interpreter(letters="c", with_value="oO", is_shell=True)
_PYTHON = _Interpreter(letters="c", with_value="WX", ends="m")
_NODE = _Interpreter(letters="ep", words=("--eval", "--print"), with_value="rC")
_BY_SHELL = _Interpreter(letters="c", words=("--command",), anywhere=True)

_INTERPRETERS = {
    **dict.fromkeys(("sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "yash"), _SHELL),
    **dict.fromkeys(("csh", "tcsh"), _SHELL),
    "fish": _Interpreter(letters="cC", words=("--command", "--init-command"), with_value="dDo"),
    **dict.fromkeys(("python", "pypy"), _PYTHON),
    "perl": _Interpreter(letters="eE", with_value="I"),
    "ruby": _Interpreter(letters="e", with_value="ICrE"),
    **dict.fromkeys(("node", "nodejs", "bun"), _NODE),
    "php": _Interpreter(letters="rBRE", with_value="cdz", ends="f"),
    "lua": _Interpreter(letters="e", with_value="l"),
    # These give it to a shell.
    **dict.fromkeys(("su", "runuser", "flock", "script"), _BY_SHELL),
}
#: Programs that run the program named by some later argument.
_WRAPPERS = frozenset(
    {
        *("busybox", "chroot", "chrt", "doas", "env", "exec", "ionice", "nice", "nohup", "nsenter"),
        *("prlimit", "setarch", "setpriv", "setsid", "stdbuf", "strace", "sudo", "systemd-run"),
        *("taskset", "time", "timeout", "toybox", "unshare", "xargs"),
    }
)
#: Long options of shells with a value in the next word.
_WITH_FILE = ("--rcfile", "--init-file")

#: `python3.11`, `lua5.4`
_VERSION = re.compile(r"[0-9.]+$")


@dataclass(slots=True)
class _Scan:
    """What one interpreter makes of its arguments."""

    code: list[int] = field(default_factory=list[int])
    #: The first word that is neither option nor value; None: there is none.
    operand: str | None = None
    #: `-s` of a shell: it reads commands on stdin though there are operands.
    reads_stdin: bool = False


def code_arguments(argv: Sequence[str]) -> list[int]:
    """Return the indices of the arguments that are run as code, in order."""
    found = set(_split_by_env(argv)) if argv and _name(argv[0]) == "env" else set[int]()
    for _, scan in _scans(argv):
        found.update(scan.code)
    return sorted(found)


def reads_code(argv: Sequence[str]) -> bool:
    """Return whether a command line is an interpreter that runs what stands on its stdin."""
    return any(
        not interpreter.anywhere
        and not scan.code
        and (scan.operand in (None, "-", "/dev/stdin") or scan.reads_stdin)
        for interpreter, scan in _scans(argv)
    )


def _scans(argv: Sequence[str]) -> Iterator[tuple[_Interpreter, _Scan]]:
    if not argv:
        return
    start = 0
    if _name(argv[0]) in _WRAPPERS:
        start = next((at for at, word in enumerate(argv) if _name(word) in _INTERPRETERS), 0)
    interpreter = _INTERPRETERS.get(_name(argv[start]))
    if interpreter is not None:
        yield interpreter, _scan(interpreter, argv, start + 1)


def _name(word: str) -> str:
    """Return the name of a program without its directory and its version."""
    return _VERSION.sub("", word.rpartition("/")[2])


def _scan(interpreter: _Interpreter, argv: Sequence[str], start: int) -> _Scan:
    scan = _Scan()
    #: What the next word is, as far as the one before it says.
    is_code = is_value = may_be_value = False
    is_awaited = are_over = False
    for at in range(start, len(argv)):
        word = argv[at]
        if is_code or is_value:
            if is_code:
                scan.code.append(at)
            is_code = is_value = False
        elif not are_over and word == "--":
            are_over = True
        elif not are_over and word.startswith("--"):
            name, has_value, _ = word.partition("=")
            if name in interpreter.words:
                if has_value:
                    scan.code.append(at)
                is_code = not has_value
            is_value = name in _WITH_FILE
            may_be_value = not has_value and not interpreter.is_shell
        elif not are_over and word[:1] in ("-", "+") and len(word) > 1:
            letters = word[1:]
            brings_code = not set(letters).isdisjoint(interpreter.letters)
            is_value = letters[-1] in interpreter.with_value
            if interpreter.is_shell:
                is_awaited = is_awaited or brings_code
                scan.reads_stdin = scan.reads_stdin or "s" in letters
            elif brings_code:
                scan.code.append(at)
                is_code = letters[-1] in interpreter.letters
            elif letters[-1] in interpreter.ends:
                scan.operand = word
                break
        elif may_be_value:
            # Of an option of which it is not known whether it takes one.
            may_be_value = False
        else:
            scan.operand = word
            if is_awaited:
                scan.code.append(at)
            if not interpreter.anywhere:
                break
    return scan


def _split_by_env(argv: Sequence[str]) -> Iterator[int]:
    """Yield what `env -S` splits into a command line."""
    for at, word in enumerate(argv[1:], 1):
        if word.startswith("--split-string="):
            yield at
        elif word == "--split-string" or re.fullmatch(r"-[a-zA-Z]*S", word):
            yield at + 1
        elif re.match(r"-[a-zA-Z]*S", word):
            yield at
        elif not word.startswith("-") and "=" not in word:
            return
