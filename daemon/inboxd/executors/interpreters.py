"""
Pure: which arguments of a command line an interpreter runs as code.

A value that came from elsewhere must not stand there: `sh -c "rm {{ … }}"` does whatever the value
says. Which programs run others is not known, so an interpreter is looked for anywhere: behind
`docker run IMAGE`, behind `find -exec`. In doubt an argument counts as code: data has other ways.
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
    #: Its options may stand behind other words, up to `--`.
    anywhere: bool = False
    #: As PowerShell: names of options in any case, cut short; all that follows them is code.
    is_powershell: bool = False


_SHELL = _Interpreter(letters="c", with_value="oO", is_shell=True)
_PYTHON = _Interpreter(letters="c", with_value="WX", ends="m")
_NODE = _Interpreter(letters="ep", words=("--eval", "--print"), with_value="rC")
_BY_SHELL = _Interpreter(letters="c", words=("--command",), anywhere=True)

_INTERPRETERS = {
    **dict.fromkeys(("sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "yash"), _SHELL),
    **dict.fromkeys(("csh", "tcsh", "pdksh", "oksh", "posh", "osh", "xonsh", "elvish"), _SHELL),
    "nu": _Interpreter(letters="c", words=("--commands",), with_value="meI"),
    **dict.fromkeys(("pwsh", "pwsh-preview", "powershell"), _Interpreter(is_powershell=True)),
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
#: Names of interpreters that files have as well: not looked for behind just any program.
_COMMON_WORDS = frozenset({"script"})
#: Programs that run the program named by some later argument, and give it their stdin.
_WRAPPERS = frozenset(
    {
        *("busybox", "bwrap", "chpst", "chroot", "chrt", "dbus-run-session", "doas", "docker"),
        *("dumb-init", "env", "exec", "faketime", "firejail", "flock", "gosu", "ionice", "kubectl"),
        *("nerdctl", "nice", "nohup", "nsenter", "pkexec", "podman", "prlimit", "runuser"),
        *("setarch", "setpriv", "setsid", "setuidgid", "stdbuf", "strace", "su-exec", "sudo"),
        *("systemd-run", "taskset", "time", "timeout", "tini", "toybox", "unshare", "xargs"),
    }
)
#: Long options of shells with a value in the next word.
_WITH_FILE = ("--rcfile", "--init-file")

#: Options of PowerShell, of which the beginning will do, and others that stand for them
#: (about_Pwsh); behind these all is code.
_POWERSHELL_CODE = ("command", "commandwithargs", "encodedcommand", "cwa", "ec")

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
    #: The index of the word that it stopped at.
    end: int = 0


def code_arguments(argv: Sequence[str]) -> list[int]:
    """Return the indices of the arguments that are run as code, in order."""
    found = set(_split_by_env(argv)) if argv and _name(argv[0]) == "env" else set[int]()
    #: By interpreter: up to where it was followed. From within there nothing else is found, so
    #: that many names of interpreters in a row are not gone through for each of them.
    ends: dict[_Interpreter, int] = {}
    runs_others = bool(argv) and _name(argv[0]) in _WRAPPERS
    for at, word in enumerate(argv):
        interpreter = _INTERPRETERS.get(_name(word))
        if interpreter is None or (_name(word) in _COMMON_WORDS and not (at == 0 or runs_others)):
            continue
        if at >= ends.get(interpreter, 0):
            scan = _scan(interpreter, argv, at + 1)
            found.update(scan.code)
            ends[interpreter] = scan.end
    return sorted(found)


def reads_code(argv: Sequence[str]) -> bool:
    """Return whether a command line is an interpreter that runs what stands on its stdin."""
    start = 0
    if argv and _name(argv[0]) in _WRAPPERS:
        interpreters = (_INTERPRETERS.get(_name(word)) for word in argv)
        start = next(
            (at for at, one in enumerate(interpreters) if one is not None and not one.anywhere), 0
        )
    interpreter = _INTERPRETERS.get(_name(argv[start])) if argv else None
    if interpreter is None or interpreter.anywhere:
        return False
    scan = _scan(interpreter, argv, start + 1)
    return not scan.code and (scan.operand in (None, "-", "/dev/stdin") or scan.reads_stdin)


def _name(word: str) -> str:
    """Return the name of a program without its directory and its version."""
    return _VERSION.sub("", word.rpartition("/")[2])


def _scan(interpreter: _Interpreter, argv: Sequence[str], start: int) -> _Scan:
    if interpreter.is_powershell:
        return _scan_powershell(argv, start)
    scan = _Scan(end=len(argv))
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
            if interpreter.anywhere:
                scan.end = at
                break
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
                scan.operand, scan.end = word, at
                break
        elif may_be_value:
            # Of an option of which it is not known whether it takes one.
            may_be_value = False
        else:
            scan.operand = word
            if is_awaited:
                scan.code.append(at)
            if not interpreter.anywhere:
                scan.end = at
                break
    return scan


def _scan_powershell(argv: Sequence[str], start: int) -> _Scan:
    scan = _Scan(end=len(argv))
    may_be_value = False
    for at in range(start, len(argv)):
        word = argv[at]
        name = word.lstrip("-").lower()
        is_option = word.startswith("-") and name != ""
        if is_option and any(option.startswith(name) for option in _POWERSHELL_CODE):
            if list(argv[at + 1 :]) == ["-"]:
                scan.reads_stdin = True
            else:
                scan.code.extend(range(at + 1, len(argv)))
            break
        if not is_option and not may_be_value:
            scan.operand, scan.end = word, at
            break
        may_be_value = is_option
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
