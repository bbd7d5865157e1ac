"""`[notify]` and the recipes of its how-to, run by a real daemon against local servers."""

from __future__ import annotations

import email
import email.policy
import json
import os
import shutil
import socketserver
import sys
import threading
import tomllib
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from tests.docs.pages import ROOT, page

from .real_daemon import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import MakeDaemon
    from .real_daemon import RealDaemon

PAGE = page(ROOT / "docs" / "how-to" / "notify.md")
MAIL_SCRIPT = PAGE.blocks("sh")[0].text
BY_HAND = PAGE.blocks("sh")[1].text
TOML = [tomllib.loads(block.text)["notify"] for block in PAGE.blocks("toml")]
WEB_HOOK = next(one for one in TOML if one["argv"][0] == "curl")
MAIL = next(one for one in TOML if one["argv"][0].endswith("notify-mail"))

ServerT = TypeVar("ServerT", bound=socketserver.BaseServer)

FAILING = [{"id": "a", "executor": "command", "inputs": {"script": "exit 3"}}]
PASSING = [{"id": "a", "executor": "noop"}]

#: What `sendmail -t` does, in short: the mail on stdin goes to the server of this machine.
SENDMAIL = """#!{python}
import email, smtplib, sys
assert sys.argv[1:] == ["-t"], sys.argv
mail = email.message_from_binary_file(sys.stdin.buffer)
with smtplib.SMTP("127.0.0.1", {port}) as server:
    server.send_message(mail, from_addr="inboxd@localhost")
"""


class _MailHandler(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as it takes to be sent a mail."""

    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            match line.split(b":")[0].split()[0].upper():
                case b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines: list[bytes] = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text.removeprefix(b".").replace(b"\r\n", b"\n"))
                    self.server.mails.append(b"".join(lines))
                    self.wfile.write(b"250 taken\r\n")
                case b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                case _:
                    self.wfile.write(b"250 yes\r\n")


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.mails: list[bytes] = []


class _HookHandler(BaseHTTPRequestHandler):
    server: HookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class HookServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _HookHandler)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []


@contextmanager
def serving(server: ServerT) -> Iterator[ServerT]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def records(daemon: RealDaemon) -> list[dict[str, Any]]:
    path = daemon.state / "plugins" / "notify" / "record.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def delivered(daemon: RealDaemon) -> list[dict[str, Any]]:
    return [one for one in records(daemon) if one["outcome"] == "delivered"]


def notifying(make_daemon: MakeDaemon, argv: list[str], *on: str) -> RealDaemon:
    settings: dict[str, object] = {"notify__argv": json.dumps(argv)}
    if on:
        settings["notify__on"] = json.dumps(on)
    return make_daemon(**settings)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of programs on the daemon's PATH."""
    directory = tmp_path / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return directory


def program(directory: Path, name: str, text: str) -> str:
    path = directory / name
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_the_recipe_for_mail_tells_of_a_failure_and_of_a_rejection(
    make_daemon: MakeDaemon, tools: Path
) -> None:
    with serving(MailServer()) as server:
        port = server.server_address[1]
        program(tools, "sendmail", SENDMAIL.format(python=sys.executable, port=port))
        script = program(tools, Path(MAIL["argv"][0]).name, MAIL_SCRIPT)
        daemon = notifying(make_daemon, [script, *MAIL["argv"][1:]])
        daemon.drop("report.json", FAILING)
        daemon.drop("wrong.json", {"tasks": []})
        daemon.drop("fine.json", PASSING)
        assert daemon.run_until_idle() == 1

        mails = [email.message_from_bytes(one, policy=email.policy.default) for one in server.mails]
        by_subject = {one["Subject"]: one for one in mails}
        assert set(by_subject) == {
            "inboxd: failed: report.json",
            "inboxd: rejected: wrong.json",
        }
        assert all(one["To"] == "ops@example.org" for one in mails)
        failed = by_subject["inboxd: failed: report.json"].get_content()
        tree_id = (daemon.receipt("report.json") or {})["tree_id"]
        first, _, rest = failed.partition("\n")
        assert first == f"inboxd show {tree_id}"
        assert json.loads(rest) == daemon.result("report.json")
        rejected = by_subject["inboxd: rejected: wrong.json"].get_content()
        assert json.loads(rejected) == daemon.receipt("wrong.json")
    assert {one["event"] for one in delivered(daemon)} == {"failed", "rejected"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_recipe_for_a_web_hook_tries_again_until_the_server_takes_it(
    make_daemon: MakeDaemon,
) -> None:
    with serving(HookServer()) as server:
        server.answers = [503]
        url = f"http://127.0.0.1:{server.server_address[1]}/inboxd"
        argv = [url if word.startswith("https:") else word for word in WEB_HOOK["argv"]]
        daemon = notifying(make_daemon, argv)
        daemon.start_and_wait()
        daemon.drop("report.json", FAILING)
        wait_until(lambda: delivered(daemon), "the web hook is told")
        assert daemon.stop() == 0

        assert [one["outcome"] for one in records(daemon)] == ["failed", "delivered"]
        assert "503" in records(daemon)[0]["reason"]
        headers, body = server.requests[-1]
        assert headers["Content-Type"] == "application/json"
        assert json.loads(body) == daemon.result("report.json")


def test_only_what_on_names_is_told(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    daemon = notifying(make_daemon, ["/bin/sh", "-c", f"cat >>{tmp_path}/told"], "completed")
    daemon.drop("bad.json", FAILING)
    daemon.drop("wrong.json", {})
    daemon.drop("fine.json", PASSING)
    assert daemon.run_until_idle() == 1

    assert json.loads((tmp_path / "told").read_text()) == daemon.result("fine.json")


def test_a_kill_loses_no_end_of_a_tree(make_daemon: MakeDaemon, tmp_path: Path) -> None:
    """The program is killed with the daemon before it told; the next daemon has it told."""
    blocked, began, told = tmp_path / "blocked", tmp_path / "began", tmp_path / "told"
    os.mkfifo(blocked)
    script = f"if [ -p {blocked} ]; then : >{began}; read x <{blocked}; else cat >{told}; fi"
    daemon = notifying(make_daemon, ["/bin/sh", "-c", script])
    daemon.start_and_wait()
    daemon.drop("report.json", FAILING)
    wait_until(began.exists, "the program has begun")
    daemon.kill()
    # Both ends at once, which never blocks: lets the program go, if the kill left it there.
    both_ends = os.open(blocked, os.O_RDWR)
    blocked.unlink()
    os.close(both_ends)
    assert not told.exists()

    daemon.start_and_wait()
    wait_until(lambda: delivered(daemon), "the next daemon has it told")
    assert json.loads(told.read_text()) == daemon.result("report.json")
    assert daemon.stop() == 0


def test_the_program_can_be_tried_by_hand(tools: Path, tmp_path: Path) -> None:
    got = tmp_path / "got"
    program(tools, "sendmail", f"#!/bin/sh\ncat >{got}\n")
    script = program(tools, "notify-mail", MAIL_SCRIPT)
    text = BY_HAND.replace(MAIL["argv"][0], script)
    assert os.system(text) == 0  # noqa: S605 - as a person would
    assert got.read_text().splitlines()[:2] == [
        "To: ops@example.org",
        "Subject: inboxd: failed: test.json",
    ]


def test_until_idle_waits_for_a_program_that_takes_longer_than_a_stop(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    daemon = notifying(make_daemon, ["/bin/sh", "-c", f"sleep 6; echo told >>{told}"])
    daemon.drop("report.json", FAILING)
    assert daemon.run_until_idle() == 1

    assert told.read_text() == "told\n"
    assert [one["outcome"] for one in records(daemon)] == ["delivered"]


def test_until_idle_does_not_wait_for_what_is_tried_again_later(make_daemon: MakeDaemon) -> None:
    daemon = notifying(make_daemon, ["/bin/false"])
    for number in range(5):
        daemon.drop(f"{number}.json", FAILING)
    assert daemon.run_until_idle() == 1

    assert {one["outcome"] for one in records(daemon)} == {"failed"}
    assert len({one["id"] for one in records(daemon)}) == 5


def test_a_stop_leaves_no_program_behind_and_counts_its_try(
    make_daemon: MakeDaemon, tmp_path: Path
) -> None:
    pid, told = tmp_path / "pid", tmp_path / "told"
    script = f"echo $$ >{pid}.new; mv {pid}.new {pid}; sleep 1000; echo told >{told}"
    daemon = notifying(make_daemon, ["/bin/sh", "-c", script])
    daemon.start_and_wait()
    daemon.drop("report.json", FAILING)
    wait_until(pid.exists, "the program runs")
    assert daemon.stop() == 0

    assert [(one["try"], one["outcome"]) for one in records(daemon)] == [(1, "failed")]
    assert "stop of the daemon" in records(daemon)[0]["reason"]
    assert not Path("/proc", pid.read_text().strip()).exists()
    assert not told.exists()
    assert "does not return" not in daemon.log.read_text()
