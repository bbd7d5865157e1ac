"""What is dropped by mistake or in malice: refused, told once, and nobody else is harmed."""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.errors import ConfigurationError

from .intake_bed import ONE_TASK, IntakeBed, array, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

is_root = os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="only root may give files to other users")


def symlink(path: Path) -> None:
    (path.parents[1] / "secret").write_bytes(ONE_TASK)
    path.symlink_to(path.parents[1] / "secret")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    "make",
    [
        symlink,
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.symlink_to(path.name),
        lambda path: path.symlink_to(path.parent),
        os.mkfifo,
        make_socket,
        pytest.param(
            lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3)), marks=needs_root
        ),
    ],
    ids=["symlink", "dangling", "loop", "to-directory", "fifo", "socket", "device"],
)
def test_what_is_no_file_is_refused_unopened_and_blocks_nobody(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    with IntakeBed(tmp_path).running() as bed:
        make(bed.inbox / "odd.json")
        bed.drop("good.json")
        bed.wait_idle()
        receipt = bed.read("rejected/odd.receipt.json")

    assert bed.codes("odd") == ["not_a_regular_file"]
    assert receipt["sha256"] is None
    assert os.path.lexists(bed.inbox / "rejected/odd.json")
    assert bed.names("accepted") == ["good.json", "good.receipt.json"]


def test_a_directory_with_the_name_of_a_file_is_told_once_and_left_where_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with IntakeBed(tmp_path).running() as bed:
        (bed.inbox / "directory.json").mkdir()
        for name in ("a.json", "b.json"):
            bed.drop(name)
            bed.wait_idle()

    told = [record for record in caplog.records if getattr(record, "event", "") == "file_misplaced"]
    assert [record.__dict__["file"] for record in told] == ["directory.json"]
    assert (bed.inbox / "directory.json").is_dir()


def test_a_receipt_in_the_inbox_is_told_once_and_never_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with IntakeBed(tmp_path).running() as bed:
        (bed.inbox / "a.receipt.json").write_bytes(ONE_TASK)
        (bed.inbox / "a.result.json").write_bytes(ONE_TASK)
        for name in ("b.json", "c.json"):
            bed.drop(name)
            bed.wait_idle()

    told = [record for record in caplog.records if getattr(record, "event", "") == "file_misplaced"]
    assert sorted(record.__dict__["file"] for record in told) == ["a.receipt.json", "a.result.json"]
    assert (bed.inbox / "a.receipt.json").exists()


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        with (bed.inbox / "sparse.json").open("wb") as file:
            file.truncate(1 << 40)
        bed.wait_idle()
        receipt = bed.read("rejected/sparse.receipt.json")

    assert bed.codes("sparse") == ["too_large"]
    assert receipt["sha256"] is None
    assert "1,099,511,627,776 bytes" in receipt["errors"][0]["message"]


def test_a_file_that_grows_for_ever_is_refused_once_it_is_over_the_limit(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path, max_file_bytes=100_000, settle_seconds=600.0)
    with bed.running(), (bed.inbox / "growing.json").open("wb") as file:

        def grow() -> bool:
            file.write(b" " * 10_000)
            file.flush()
            bed.intake.is_idle()
            return bool(bed.names("rejected"))

        wait_until(grow, "the refusal")

    assert bed.codes("growing") == ["too_large"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"-rf.json", "-rf.json"),
        (b"*.json", "*.json"),
        (b"two\nlines.json", "two\\nlines.json"),
        (b"\x1b]52;c;aGk=\x07.json", "\\x1b]52;c;aGk=\\x07.json"),
        ("\u202egnp.json".encode(), "\\u202egnp.json"),
        (b"caf\xe9.json", "caf\\xe9.json"),
        ("café.json".encode(), "café.json"),
        (b"x" * 195 + b".json", "x" * 195 + ".json"),
    ],
)
def test_any_name_is_taken_and_shown_escaped(tmp_path: Path, name: bytes, shown: str) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop(name)
        bed.wait_idle()
        trees = bed.query("SELECT file_name FROM trees")
    root = bytes(bed.inbox)

    assert trees == [(name,)]
    assert sorted(os.listdir(root + b"/accepted")) == sorted(  # noqa: PTH208 - a path of bytes
        [name, name.removesuffix(b".json") + b".receipt.json"]
    )
    receipt = root + b"/accepted/" + name.removesuffix(b".json") + b".receipt.json"
    with open(receipt, "rb") as file:  # noqa: PTH123 - a path of bytes
        assert json.load(file)["file"] == shown


def test_a_name_over_200_bytes_is_refused_under_a_shorter_one(tmp_path: Path) -> None:
    name = "n" * 250 + ".json"
    with IntakeBed(tmp_path).running() as bed:
        bed.drop(name)
        bed.wait_idle()
        kept = next(one for one in bed.names("rejected") if not one.endswith(".json"))
        receipt = bed.read(f"rejected/{kept}.receipt.json")

    assert kept.startswith("n" * 150 + "~")
    assert len(kept) == 159
    assert [error["code"] for error in receipt["errors"]] == ["name_too_long"]
    assert receipt["file"] == name


@needs_root
def test_only_files_of_allowed_owners_are_read(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path, allowed_owners=("root", "4243"))
    for owner in (0, 4242, 4243):
        bed.drop(f"{owner}.json")
        os.chown(bed.inbox / f"{owner}.json", owner, -1)
    with bed.running():
        bed.wait_idle()
        receipt = bed.read("rejected/4242.receipt.json")

    assert [name for name in bed.names("accepted") if "receipt" not in name] == [
        "0.json",
        "4243.json",
    ]
    assert bed.codes("4242") == ["wrong_owner"]
    assert receipt["sha256"] is None
    assert (bed.inbox / "rejected/4242.json").stat().st_uid == 4242


def test_an_owner_that_does_not_exist_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match='no user "nobody-of-that-name"'),
        IntakeBed(tmp_path, allowed_owners=("nobody-of-that-name",)).running(),
    ):
        pass


@pytest.mark.skipif(is_root, reason="root may read everything; see test_intake_inbox_changes")
def test_a_file_that_may_not_be_read_is_refused_with_what_to_do(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path)
    bed.drop("a.json")
    (bed.inbox / "a.json").chmod(0o000)
    with bed.running():
        bed.wait_idle()

    assert bed.codes("a") == ["unreadable"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_answers_have_their_rights_whatever_the_umask_and_files_keep_theirs(
    tmp_path: Path, umask: int
) -> None:
    bed = IntakeBed(tmp_path)
    before = os.umask(umask)
    try:
        with bed.running():
            bed.drop("good.json")
            (bed.inbox / "good.json").chmod(0o604)
            bed.drop("bad.json", b"[]")
            bed.wait_idle()
    finally:
        os.umask(before)

    def rights(path: str) -> str:
        return oct(stat.S_IMODE((bed.inbox / path).stat().st_mode))

    assert rights("accepted/good.json") == "0o604"
    assert rights("accepted/good.receipt.json") == "0o640"
    assert rights("rejected/bad.receipt.json") == "0o640"
    assert rights("results/good.result.json") == "0o640"


@needs_root
def test_answers_are_given_to_the_inbox_s_group(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path)
    os.chown(bed.inbox, -1, 4242)
    with bed.running():
        bed.drop("a.json")
        bed.wait_idle()
    answers = ("accepted/a.receipt.json", "results/a.result.json")

    assert [(bed.inbox / path).stat().st_gid for path in answers] == [4242, 4242]


def test_warnings_stand_in_the_receipt_of_an_accepted_file(tmp_path: Path) -> None:
    content = json.dumps(
        [{"id": "a", "executor": "noop", "inputs": {"text": "{{ task.b.result }}"}}]
    ).encode()
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("a.json", content)
        bed.wait_idle()
        warnings: list[Any] = bed.read("accepted/a.receipt.json")["warnings"]

    assert len(warnings) == 1
    assert warnings[0]["pointer"].startswith("/0/inputs/text")


def test_a_receipt_lists_ten_thousand_tasks_and_counts_more(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        for count in (10_000, 10_001):
            bed.drop(f"{count}.json", array(*(f"t{number}" for number in range(count))))
        bed.wait_idle()
        listed = bed.read("accepted/10000.receipt.json")
        counted = bed.read("accepted/10001.receipt.json")

    assert (len(listed["tasks"]), listed["task_count"]) == (10_000, 10_000)
    assert ("tasks" in counted, counted["task_count"]) == (False, 10_001)


def test_a_fault_of_ours_with_one_file_is_logged_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bed = IntakeBed(tmp_path)
    with bed.running():
        bed.catalog.fault = RuntimeError("a fault of ours")
        bed.drop("bad.json", array("a", executor="faulty"))
        bed.drop("good.json")
        wait_until(lambda: "good.receipt.json" in bed.names("accepted"), "the other's receipt")
        bed.catalog.fault = None
        logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    with bed.running():
        bed.wait_idle()

    assert [record.__dict__["event"] for record in logged] == ["file_not_taken"]
    assert bed.names("accepted") == [
        "bad.json", "bad.receipt.json", "good.json", "good.receipt.json",
    ]  # fmt: skip


@pytest.mark.parametrize("faults", [1, 2, 3, 4])
def test_files_whose_recording_fails_are_recorded_singly_or_later(
    tmp_path: Path, faults: int
) -> None:
    bed = IntakeBed(tmp_path, settle_seconds=0.0, scan_interval_seconds=0.2)
    with bed.running():
        bed.wait_idle()
        bed.writer.faults = faults
        for name in ("a.json", "b.json", "large.json"):
            ids = [f"t{number}" for number in range(2_100 if name == "large.json" else 1)]
            bed.drop(name, array(*ids))
        wait_until(lambda: len(bed.trees()) == 3, "the trees")
        bed.wait_idle()
        trees = sorted(bed.trees())

    assert trees == [(name, "completed") for name in ("a.json", "b.json", "large.json")]
    assert len(bed.names("accepted")) == 6
