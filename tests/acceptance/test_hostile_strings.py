"""Whatever text a task file holds reaches its command byte for byte."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, Any

from .real_daemon import LIMIT_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeDaemon

COUNT = 10_000
#: One argument may be 32 pages long, the zero byte that ends it included (execve(2)).
LONGEST_BYTES = 32 * 4096 - 1

#: The kernel's own record of what the process was started with; no decoding takes part.
_PROGRAM = """\
import pathlib, sys
kept = pathlib.Path(sys.argv[1])
for name in ("cmdline", "environ"):
    kept.joinpath(name).write_bytes(pathlib.Path("/proc/self", name).read_bytes())
"""

#: What shells, printf, terminals, templates, JSON and C read as more than text.
_PIECES = (
    *(chr(number) for number in range(1, 0x20)),  # all but zero, which no argument can hold
    *("\x7f", "\x80", "\x9b", "\u00ad", "\u0301", "e\u0301", "\u2028", "\u2029", "\ufeff"),
    *("\u200b", "\u200d", "\u202a", "\u202e", "\u2066", "\u2069", "\ufffd", "\ufffe", "\uffff"),
    *(
        "é",
        "ß",
        "İ",
        "日本",
        "\U0001f469\u200d\U0001f469\u200d\U0001f467",
        "\U0001f3f4",
        "\ue000",
        "\U0010ffff",
        "\ud7ff",
    ),
    *("'", '"', "''", '"""', "\\", "\\\\", "\\n", "\\x00", "\\u0000", "\\'", "`", "`id`", "\u00b4"),
    *("$", "$$", "$0", "$HOME", "${HOME}", "$(id)", "$((1+1))", "$'\\n'", "!", "!!", "!$"),
    *(";", "&", "&&", "|", "||", ">", "<", "<<EOF", ">(id)", "*", "?", "[a-z]", "~", "~root", "#"),
    *("%", "%s", "%n", "%(x)s", "%%", "{}", "{0}", "{x!r}", "{{", "}}", "{{ x }}", "{% x %}"),
    *("-", "--", "-n", "-rf", "--help", "--=", "@file", "=", "==", "A=b", "/", "..", "../..", ":"),
    *(" ", "  ", "\r\n", "\n\n", "\t\t", "null", "true", "NaN", "1e999", "<!--", "]]>", "\x1b[2J"),
)


def hostile_strings(seed: int, *, longest_bytes: int) -> list[str]:
    """Return always the same strings: each piece alone, the extremes, and many compositions."""
    chance = random.Random(seed)  # noqa: S311 - test data, no secret
    found = ["", *_PIECES, "x" * longest_bytes, "é" * (longest_bytes // 2), "'\n" * 10_000]
    while len(found) < COUNT:
        parts = chance.choices(_PIECES, k=chance.randint(2, 12))
        if chance.random() < 0.2:
            parts.append(chr(chance.choice((*range(0xA0, 0xD800), *range(0xE000, 0x11000)))))
        found.append("".join(parts))
    chance.shuffle(found)
    return found


def test_ten_thousand_hostile_strings_arrive_byte_for_byte(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    words = hostile_strings(seed=1, longest_bytes=LONGEST_BYTES)
    values = hostile_strings(seed=2, longest_bytes=LONGEST_BYTES - len("HOSTILE_0000="))
    variables = {f"HOSTILE_{index:04}": value for index, value in enumerate(values)}
    tasks: list[dict[str, Any]] = [
        {"id": "argv", "inputs": {"argv": _command(tmp_path / "argv", *words)}},
        {"id": "env", "inputs": {"argv": _command(tmp_path / "env"), "env": variables}},
    ]
    daemon = make_daemon()
    daemon.drop("hostile.json", {"defaults": {"executor": "command"}, "tasks": tasks})

    code = daemon.run_until_idle(LIMIT_SECONDS)
    result = daemon.result("hostile.json") or {"tasks": [daemon.receipt("hostile.json")]}

    assert [each.get("error", each) for each in result["tasks"]] == [None, None]
    assert code == 0
    arguments = (tmp_path / "argv/cmdline").read_bytes().split(b"\0")[:-1]
    environment = (tmp_path / "env/environ").read_bytes().split(b"\0")
    got = dict(entry.split(b"=", 1) for entry in environment if entry.startswith(b"HOSTILE_"))
    assert arguments[-COUNT:] == [word.encode() for word in words]
    assert got == {name.encode(): value.encode() for name, value in variables.items()}


def _command(kept: Path, *words: str) -> list[str]:
    kept.mkdir()
    return [sys.executable, "-I", "-c", _PROGRAM, str(kept), *words]
