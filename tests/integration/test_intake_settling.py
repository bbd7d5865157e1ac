"""When a file is taken: at once when it is known to be whole, else when it rested."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from .intake_bed import ONE_TASK, IntakeBed, array, wait_until

if TYPE_CHECKING:
    from pathlib import Path

#: Longer than any test waits: what is taken all the same was not waited for.
NEVER = 600.0


def test_a_file_moved_in_is_taken_at_once(tmp_path: Path) -> None:
    with IntakeBed(tmp_path, settle_seconds=NEVER).running() as bed:
        bed.wait_taken()
        bed.drop("a.json")
        wait_until(lambda: "a.receipt.json" in bed.names("accepted"), "the receipt")


def test_a_file_written_in_place_is_taken_when_its_writer_closes_it(tmp_path: Path) -> None:
    with IntakeBed(tmp_path, settle_seconds=NEVER).running() as bed:
        bed.wait_taken()
        with (bed.inbox / "a.json").open("wb") as file:
            file.write(ONE_TASK)
            file.flush()
            before = bed.intake.is_idle(), bed.names("accepted")
        wait_until(lambda: "a.receipt.json" in bed.names("accepted"), "the receipt")

    assert before == (False, [])


def test_a_file_whose_writer_never_closes_it_is_taken_when_it_rested(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_taken()
        with (bed.inbox / "a.json").open("wb") as file:
            file.write(ONE_TASK)
            file.flush()
            wait_until(lambda: "a.receipt.json" in bed.names("accepted"), "the receipt")


def test_a_file_written_slowly_in_place_is_taken_once_and_whole(tmp_path: Path) -> None:
    # Every prefix that ends in "]" is a valid task array: taken too early, it would be accepted.
    parts = [b'[{"id": "a", "executor": "noop"}]'] + [b" "] * 20 + [b"\n"]
    with IntakeBed(tmp_path, settle_seconds=0.5).running() as bed:
        bed.wait_taken()
        with (bed.inbox / "a.json").open("wb") as file:
            for part in parts:
                file.write(part)
                file.flush()
                time.sleep(0.05)
        bed.wait_idle()
        trees = bed.trees()

    assert (bed.inbox / "accepted/a.json").read_bytes() == b"".join(parts)
    assert trees == [("a.json", "completed")]


def test_a_file_whose_writer_died_half_way_is_rejected_after_settle(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_taken()
        (bed.inbox / "a.json").write_bytes(ONE_TASK[:10])
        bed.wait_idle()

    assert bed.codes("a") == ["invalid_json"]


def test_a_file_that_grows_after_it_was_claimed_rests_again_and_is_taken_whole(
    tmp_path: Path,
) -> None:
    bed = IntakeBed(tmp_path, settle_seconds=0.0)
    # One look finds both at rest. Both are claimed before the first is read and checked, which
    # takes a second or so.
    bed.drop("first.json", array(*(f"t{number}" for number in range(30_000))))
    os.utime(bed.inbox / "first.json", (1, 1))
    bed.drop("second.json", b'[{"id": "a", "executor": "noop"}')
    with (bed.inbox / "second.json").open("ab") as file, bed.running():
        wait_until(lambda: bed.names() == ["accepted", "rejected", "results"], "the claims")
        has_read = bed.names("accepted") != []
        file.write(b"]")
        file.flush()
        bed.wait_idle()
        trees = bed.trees()

    assert not has_read, "the test came too late"
    assert trees == [("first.json", "completed"), ("second.json", "completed")]
    assert (bed.inbox / "accepted/second.json").read_bytes() == ONE_TASK


def test_an_empty_file_waits_for_its_content(tmp_path: Path) -> None:
    with IntakeBed(tmp_path, settle_seconds=1.0).running() as bed:
        bed.wait_taken()
        (bed.inbox / "a.json").touch()
        wait_until(lambda: not bed.intake.is_idle(), "the first sight of it")
        (bed.inbox / "a.json").write_bytes(ONE_TASK)
        bed.wait_idle()

    assert bed.names("accepted") == ["a.json", "a.receipt.json"]


def test_an_empty_file_that_stays_empty_is_rejected(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        (bed.inbox / "a.json").touch()
        bed.wait_idle()

    assert bed.codes("a") == ["invalid_json"]


def test_a_file_published_by_link_and_unlink_is_taken(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_taken()
        temporary = bed.inbox / ".temporary"
        temporary.write_bytes(ONE_TASK)
        os.link(temporary, bed.inbox / "a.json")
        temporary.unlink()
        bed.wait_idle()

    assert bed.names("accepted") == ["a.json", "a.receipt.json"]


def test_a_file_that_keeps_a_second_link_is_rejected_unread(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(ONE_TASK)
    with IntakeBed(tmp_path).running() as bed:
        os.link(secret, bed.inbox / "a.json")
        bed.wait_idle()
        receipt = bed.read("rejected/a.receipt.json")

    assert bed.codes("a") == ["not_a_regular_file"]
    assert receipt["sha256"] is None


def test_renaming_over_a_file_that_still_waits_replaces_it(tmp_path: Path) -> None:
    with IntakeBed(tmp_path, settle_seconds=NEVER).running() as bed:
        bed.wait_taken()
        with (bed.inbox / "a.json").open("wb") as file:
            file.write(b"[half")
            file.flush()
            wait_until(lambda: not bed.intake.is_idle(), "the first sight of it")
            bed.drop("a.json")
            wait_until(lambda: "a.receipt.json" in bed.names("accepted"), "the receipt")
        trees = bed.trees()

    assert trees == [("a.json", "completed")]
    assert bed.names("rejected") == []


def test_files_that_lay_there_before_the_start_are_taken_at_once_if_they_rested(
    tmp_path: Path,
) -> None:
    bed = IntakeBed(tmp_path, settle_seconds=2.0)
    bed.drop("a.json")
    time.sleep(2.1)  # the change of its name is what must be old, and no clock can be set for that
    with bed.running():
        began = time.monotonic()
        wait_until(lambda: "a.receipt.json" in bed.names("accepted"), "the receipt")

    assert time.monotonic() - began < 2.0


def test_files_are_accepted_in_the_order_of_their_mtime(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path, settle_seconds=0.0)  # so that one look finds them all at rest
    for name, moment in (("b", 2), ("c", 1), ("a", 2)):
        bed.drop(f"{name}.json")
        os.utime(bed.inbox / f"{name}.json", (moment, moment))
    with bed.running():
        bed.wait_idle()
        trees = [name for name, _ in bed.trees()]

    assert trees == ["c.json", "a.json", "b.json"]


def test_editors_temporaries_and_rsync_s_are_left_alone(tmp_path: Path) -> None:
    others = [".a.json.swp", "a.json~", ".a.json.Xy12", "a.json.tmp", "a.json.part", "4913"]
    with IntakeBed(tmp_path).running() as bed:
        for name in others:
            (bed.inbox / name).write_bytes(ONE_TASK)
        bed.drop("a.json")
        bed.wait_idle()
        trees = bed.trees()

    assert trees == [("a.json", "completed")]
    assert all((bed.inbox / name).exists() for name in others)


def test_ten_producers_lose_nothing_and_nothing_comes_twice(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:

        def produce(producer: int) -> None:
            for number in range(100):
                bed.drop(f"{producer}-{number}.json", array(f"t{producer}-{number}"))

        producers = [threading.Thread(target=produce, args=(number,)) for number in range(10)]
        for producer in producers:
            producer.start()
        for producer in producers:
            producer.join()
        bed.wait_idle()
        trees = sorted(name for name, _ in bed.trees())

    assert trees == sorted(f"{one}-{two}.json" for one in range(10) for two in range(100))
    assert len(bed.names("accepted")) == 2_000
    assert len(bed.names("results")) == 1_000
    assert list((bed.inbox / ".claimed").iterdir()) == [bed.inbox / ".claimed/.lock"]
