"""kill -9 at every step of the intake and of the results, then a restart: all ends in one place."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from .real_daemon import LIMIT_SECONDS, NURSERY

if TYPE_CHECKING:
    from pathlib import Path

#: In the order of their passing; `:2` is the second pass.
INTAKE_STEPS = [
    "before_recovery",
    "after_recovery",
    "after_claim",
    "after_claim:3",
    "after_claim_sync",
    "after_read",
    "after_read:3",
    "before_commit",
    "before_commit:2",
    "after_reserve",
    "after_chunk",
    "after_commit",
    "after_commit:2",
    "before_aside",
    "within_aside",
    "within_aside:2",
    "within_aside:3",
    "after_aside",
    "after_aside_commit",
    "before_receipt",
    "before_receipt_sync",
    "after_receipt",
    "after_receipt:3",
    "before_move",
    "after_move",
    "after_move:3",
    "before_paid",
]
RESULT_STEPS = [
    "before_result",
    "after_result_written",
    "after_result_written:2",
    "after_result_sync",
    "after_result",
    "after_result:2",
    "before_results_paid",
]
#: Steps at which a daemon dies that itself recovers from a death after the commit.
RECOVERY_STEPS = [
    "before_recovery",
    "before_aside",
    "within_aside:2",
    "after_aside",
    "after_aside_commit",
    "after_receipt",
    "after_receipt:2",
    "after_move",
    "before_paid",
    "after_recovery",
]


def tasks(count: int, executor: str = "noop", **envelope: Any) -> bytes:
    array = [{"id": f"t{number}", "executor": executor} for number in range(count)]
    return json.dumps({**envelope, "tasks": array}).encode()


OLD_REPORT = tasks(1, name="old")

#: What is dropped before the daemon dies. The names tell the order: mtimes are equal.
DROPS = {
    "a-report.json": tasks(2, name="new"),
    "b-keyed.json": tasks(1, idempotency_key="k"),
    "c-repeated.json": tasks(1, idempotency_key="k"),
    "d-bad.json": b'[{"id": "a", "executor": "noop"},]',
    "e-large.json": tasks(4_500),
    "f-small.json": tasks(1),
}


@dataclass(frozen=True)
class Daemon:
    """A daemon on directories of its own, run as people run it."""

    directory: Path

    @property
    def inbox(self) -> Path:
        return self.directory / "inbox"

    def drop(self, name: str, content: bytes) -> None:
        """Drop a file that looks as old as all the others."""
        temporary = self.inbox / ".temporary"
        temporary.write_bytes(content)
        os.utime(temporary, (1_700_000_000, 1_700_000_000))
        temporary.rename(self.inbox / name)

    def run(self, failpoint: str | None = None) -> int:
        """Run until idle, or until it dies at *failpoint*; return its exit status."""
        environment = {
            **os.environ,
            "INBOXD_INBOX__SETTLE": "0.2",
            **({} if failpoint is None else {"INBOXD_FAILPOINT": failpoint}),
        }
        words = ["run", "--until-idle", "--state", str(self.directory / "state")]
        log = self.directory / "log"
        with log.open("wb") as output:
            process = NURSERY.fork(
                [*words, "--inbox", str(self.inbox)],
                environment=environment,
                output=output.fileno(),
            )
        code = process.wait(LIMIT_SECONDS)
        said = log.read_text()
        assert "Traceback" not in said, said
        return code

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the database, with the daemon down."""
        connection = sqlite3.connect(self.directory / "state/inboxd.db")
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def read(self, path: str) -> Any:
        return json.loads((self.inbox / path).read_bytes())


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give directories in which a daemon ran that ended: it took an old report."""
    daemon = Daemon(tmp_path_factory.mktemp("prepared"))
    daemon.inbox.mkdir()
    daemon.drop("a-report.json", OLD_REPORT)
    assert daemon.run() == 0
    return daemon.directory


@pytest.fixture
def daemon(prepared: Path, tmp_path: Path) -> Daemon:
    """Give a daemon that has an old report, and a number of files waiting for it."""
    daemon = Daemon(shutil.copytree(prepared, tmp_path / "daemon"))
    for name, content in DROPS.items():
        daemon.drop(name, content)
    return daemon


def check(daemon: Daemon) -> None:
    """Check that every drop came in once, is answered whole, and nothing else is there."""
    assert daemon.query("PRAGMA integrity_check") == [("ok",)]
    trees = daemon.query("SELECT file_name, sha256, public_id, status FROM trees ORDER BY id")
    contents = [("a-report.json", OLD_REPORT), *DROPS.items()]
    not_trees = ("c-repeated.json", "d-bad.json")
    wanted = sorted((n, hashlib.sha256(c).hexdigest()) for n, c in contents if n not in not_trees)

    assert sorted((name.decode(), sha256) for name, sha256, _, _ in trees) == wanted
    assert {status for *_, status in trees} == {"completed"}
    assert daemon.query("SELECT count(*) FROM intake") == [(len(contents),)]
    assert daemon.query("SELECT count(*) FROM intake WHERE moves IS NOT NULL") == [(0,)]
    assert daemon.query("SELECT count(*) FROM intake WHERE owes_receipt = 1") == [(0,)]
    assert daemon.query("SELECT count(*) FROM trees WHERE owes_results = 1") == [(0,)]
    assert daemon.query("SELECT count(*) FROM tasks") == [(4_505,)]

    old = next(tree for name, _, tree, _ in trees if name == b"a-report.json")
    stems = [name.removesuffix(".json") for name in DROPS if name != "d-bad.json"]
    aside = f"a-report.{old}"
    listing = {
        directory: sorted(path.name for path in (daemon.inbox / directory).iterdir())
        for directory in ("", ".claimed", "accepted", "rejected", "results")
    }
    assert listing == {
        "": [".claimed", "accepted", "rejected", "results"],
        ".claimed": [".lock"],
        "accepted": sorted(
            stem + suffix for stem in [*stems, aside] for suffix in (".json", ".receipt.json")
        ),
        "rejected": ["d-bad.json", "d-bad.receipt.json"],
        "results": sorted(f"{stem}.result.json" for stem in [*stems, aside]),
    }
    for stem in stems:
        check_answers(daemon, stem, f"{stem}.json", DROPS[f"{stem}.json"])
    check_answers(daemon, aside, "a-report.json", OLD_REPORT)
    receipts = {stem: daemon.read(f"accepted/{stem}.receipt.json") for stem in [*stems, aside]}
    assert receipts["c-repeated"]["tree_id"] == receipts["b-keyed"]["tree_id"]
    assert receipts[aside]["tree_id"] == old
    assert daemon.read("rejected/d-bad.receipt.json")["errors"][0]["code"] == "invalid_json"


def check_answers(daemon: Daemon, stem: str, file: str, content: bytes) -> None:
    receipt = daemon.read(f"accepted/{stem}.receipt.json")
    result = daemon.read(f"results/{stem}.result.json")

    assert (daemon.inbox / f"accepted/{stem}.json").read_bytes() == content
    assert receipt["file"] == file
    assert receipt["sha256"] == hashlib.sha256(content).hexdigest()
    assert result["tree_id"] == receipt["tree_id"]
    assert [task["id"] for task in result["tasks"]] == list(receipt["tasks"])
    assert len(receipt["tasks"]) == len(json.loads(content)["tasks"])


@pytest.mark.parametrize("step", [*INTAKE_STEPS, *RESULT_STEPS])
def test_a_death_at_any_step_loses_nothing_and_doubles_nothing(daemon: Daemon, step: str) -> None:
    died = daemon.run(step)
    ended = daemon.run()

    assert died == -signal.SIGKILL, f"the daemon never passed {step}"
    assert ended in (0, 1)  # 1: the bad file was rejected in this run
    check(daemon)


@pytest.mark.parametrize("step", RECOVERY_STEPS)
def test_a_death_in_the_recovery_from_a_death_loses_nothing(daemon: Daemon, step: str) -> None:
    died = [daemon.run("after_commit"), daemon.run(step)]
    daemon.run()

    assert died == [-signal.SIGKILL] * 2
    check(daemon)


def test_a_file_dropped_again_between_two_deaths_is_a_drop_of_its_own(daemon: Daemon) -> None:
    died = daemon.run("after_aside")
    daemon.drop("a-report.json", tasks(3, name="newest"))
    daemon.run()
    receipts = sorted((daemon.inbox / "accepted").glob("a-report*.receipt.json"))
    counts = sorted(len(json.loads(path.read_bytes())["tasks"]) for path in receipts)

    assert died == -signal.SIGKILL
    assert counts == [1, 2, 3]
    assert len(daemon.read("accepted/a-report.receipt.json")["tasks"]) == 3
    assert len(daemon.read("results/a-report.result.json")["tasks"]) == 3


@pytest.mark.parametrize(
    "step",
    [
        *("within_way", "within_way:2", "within_way:3", "after_way"),
        *("after_receipt", "before_move", "after_move", "before_paid", "after_result"),
    ],
)
def test_a_death_while_way_is_made_for_answers_replaces_and_repeats_nothing(
    prepared: Path, tmp_path: Path, step: str
) -> None:
    daemon = Daemon(shutil.copytree(prepared, tmp_path / "daemon"))
    shutil.rmtree(daemon.directory / "state")
    received_at = daemon.read("accepted/a-report.receipt.json")["received_at"]
    daemon.drop("a-report.json", DROPS["a-report.json"])
    died = daemon.run(step)
    ended = daemon.run()

    assert (died, ended) == (-signal.SIGKILL, 0)
    aside = f"a-report.{received_at}"
    assert sorted(path.name for path in (daemon.inbox / "accepted").iterdir()) == [
        f"{aside}.json",
        f"{aside}.receipt.json",
        "a-report.json",
        "a-report.receipt.json",
    ]
    assert len(list((daemon.inbox / "results").iterdir())) == 2
    check_answers(daemon, "a-report", "a-report.json", DROPS["a-report.json"])
    assert (daemon.inbox / f"accepted/{aside}.json").read_bytes() == OLD_REPORT
