"""The delivery thread and its spool, with real programs."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

import pytest

from inboxd.clock import SystemClock
from inboxd.ids import new_id
from inboxd.notify.delivery import MOST_TRIES, Delivery
from inboxd.notify.program import run_program
from inboxd.notify.spool import Notification, Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT_SECONDS = 60.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "notify")


class AnHourLater(SystemClock):
    """A clock by which every delay is over."""

    def now_micros(self) -> int:
        return super().now_micros() + 3_600_000_000


def add(spool: Spool, document: bytes = b'{"status":"failed"}') -> Notification:
    one = Notification(id=new_id(), event="failed", tree_id="t1", file="report.json")

    def write(file: BinaryIO) -> None:
        file.write(document)

    spool.add(one, write)
    return one


def records(spool: Spool) -> list[dict[str, object]]:
    if not spool.record.exists():
        return []
    return [json.loads(line) for line in spool.record.read_text().splitlines()]


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    deadline = SystemClock().monotonic() + LIMIT_SECONDS
    while not condition():
        assert SystemClock().monotonic() < deadline, "it did not come true"
        pause.wait(0.01)


def test_the_program_reads_the_document_and_knows_what_it_is_about(
    spool: Spool, tmp_path: Path
) -> None:
    one = add(spool)
    got, facts = tmp_path / "got", tmp_path / "facts"
    script = f"cat >{got}; env | grep ^INBOXD_NOTIFY | sort >{facts}"
    delivery = Delivery(["/bin/sh", "-c", script], spool)
    delivery.start()
    wait_until(lambda: len(records(spool)) == 1)
    delivery.stop(LIMIT_SECONDS)

    assert got.read_bytes() == b'{"status":"failed"}'
    assert facts.read_text().splitlines() == [
        "INBOXD_NOTIFY_EVENT=failed",
        "INBOXD_NOTIFY_FILE=report.json",
        f"INBOXD_NOTIFY_ID={one.id}",
        "INBOXD_NOTIFY_TREE_ID=t1",
    ]
    assert records(spool)[0]["outcome"] == "delivered"
    assert spool.load() == []


def test_a_program_that_fails_is_run_again_until_it_does_not(spool: Spool, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    script = f"echo try >>{tries}; echo no luck; test $(wc -l <{tries}) -ge 3"
    delivery = Delivery(["/bin/sh", "-c", script], spool, first_delay_seconds=0.001)
    delivery.start()
    one = add(spool)
    delivery.add(one)
    wait_until(lambda: len(records(spool)) == 3)
    delivery.stop(LIMIT_SECONDS)

    assert [(line["try"], line["outcome"]) for line in records(spool)] == [
        (1, "failed"),
        (2, "failed"),
        (3, "delivered"),
    ]
    assert records(spool)[0]["reason"] == "it exited with status 1: no luck"
    assert spool.load() == []


def test_it_is_given_up_in_the_end_and_recorded(spool: Spool) -> None:
    delivery = Delivery(["/nonexistent/program"], spool, first_delay_seconds=0.0)
    add(spool)
    delivery.start()
    wait_until(lambda: len(records(spool)) == MOST_TRIES)
    delivery.stop(LIMIT_SECONDS)

    assert records(spool)[-1]["outcome"] == "given_up"
    assert "/nonexistent/program cannot be started" in str(records(spool)[-1]["reason"])
    assert spool.load() == []


def test_what_waits_for_its_next_try_is_delivered_by_the_next_daemon(
    spool: Spool, tmp_path: Path
) -> None:
    first = Delivery(["/bin/false"], spool)
    one = add(spool)
    first.start()
    wait_until(lambda: len(records(spool)) == 1)
    first.stop(LIMIT_SECONDS)
    assert [(left.id, left.tries) for left in spool.load()] == [(one.id, 1)]

    got = tmp_path / "got"
    second = Delivery(
        ["/bin/sh", "-c", f"cat >{got}"], Spool(tmp_path / "notify"), clock=AnHourLater()
    )
    second.start()
    wait_until(lambda: records(spool)[-1]["outcome"] == "delivered")
    second.stop(LIMIT_SECONDS)
    assert got.read_bytes() == b'{"status":"failed"}'


def test_a_stop_tries_what_is_due_before_it_ends(spool: Spool, tmp_path: Path) -> None:
    delivery = Delivery(["/bin/sh", "-c", f"cat >>{tmp_path}/got"], spool)
    delivery.start()
    for _ in range(3):
        delivery.add(add(spool, b"x"))
    delivery.stop(LIMIT_SECONDS)
    assert (tmp_path / "got").read_bytes() == b"xxx"


def test_a_program_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_bytes(b"{}")
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 1000 & echo $$ $! >{pids}; wait"
    reason = run_program(
        ["/bin/sh", "-c", script], document, {}, cut=threading.Event(), limit_seconds=0.3
    )
    assert reason == "it was ended after 0.3 s"
    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not _is_alive(int(pid)))  # type: ignore[misc]


def test_a_crash_between_the_two_files_leaves_nothing(spool: Spool) -> None:
    one = add(spool)
    (spool.document(one).with_suffix(".json")).unlink()
    assert spool.load() == []
    assert not spool.document(one).exists()


def test_a_document_that_cannot_be_written_leaves_nothing(spool: Spool) -> None:
    one = Notification(id=new_id(), event="failed")

    def write(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        spool.add(one, write)
    assert spool.load() == []
    assert not spool.document(one).exists()


def test_hostile_output_is_bounded_and_escaped(tmp_path: Path) -> None:
    document = tmp_path / "document"
    document.write_bytes(b"{}")
    reason = run_program(
        [sys.executable, "-c", "print('x' * 100_000 + '\\x1b[31m'); raise SystemExit(3)"],
        document,
        {},
        cut=threading.Event(),
    )
    assert reason is not None
    assert reason.startswith("it exited with status 3: ")
    assert len(reason) < 3_000
    assert "\x1b" not in reason


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - procfs
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_stop_ends_the_program_that_runs_and_counts_its_try(spool: Spool, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM; sleep 1000 & echo $$ $! >{pids}.new; mv {pids}.new {pids}; wait"
    one = add(spool)
    delivery = Delivery(["/bin/sh", "-c", script], spool)
    delivery.start()
    wait_until(pids.exists)
    assert not delivery.is_idle
    delivery.stop(0.1)

    assert [(line["try"], line["outcome"], line["reason"]) for line in records(spool)] == [
        (1, "failed", "it was ended by the stop of the daemon")
    ]
    assert [(left.id, left.tries) for left in spool.load()] == [(one.id, 1)]
    assert spool.load()[0].due_at <= SystemClock().now_micros()
    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not _is_alive(int(pid)))  # type: ignore[misc]


def test_what_waits_for_its_next_try_leaves_it_idle(spool: Spool) -> None:
    delivery = Delivery(["/bin/false"], spool, first_delay_seconds=1_000.0)
    add(spool)
    delivery.start()
    wait_until(lambda: delivery.is_idle)
    assert [line["outcome"] for line in records(spool)] == ["failed"]
    delivery.stop(LIMIT_SECONDS)


def test_a_record_that_cannot_be_written_tells_nothing_twice(spool: Spool, tmp_path: Path) -> None:
    spool.record.mkdir(parents=True)
    add(spool)
    delivery = Delivery(["/bin/sh", "-c", f"echo told >>{tmp_path}/told"], spool)
    delivery.start()
    wait_until(lambda: delivery.is_idle)
    delivery.stop(LIMIT_SECONDS)

    assert (tmp_path / "told").read_text() == "told\n"
    assert spool.load() == []
