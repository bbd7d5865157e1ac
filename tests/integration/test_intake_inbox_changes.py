"""The inbox is taken away, exchanged, or cannot be used: degraded, and well again by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inboxd.errors import ConfigurationError, InboxInUse

from .intake_bed import ONE_TASK, IntakeBed, array, wait_until

is_root = os.geteuid() == 0


def receipt_of(bed: IntakeBed, name: str) -> bool:
    return (bed.inbox / f"accepted/{name}.receipt.json").exists()


def test_an_inbox_taken_away_and_made_again_is_watched_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with IntakeBed(tmp_path, settle_seconds=600.0).running() as bed:
        bed.drop("a.json")
        bed.wait_idle()
        bed.inbox.rename(tmp_path / "away")
        shutil.rmtree(tmp_path / "away")
        wait_until(lambda: bed.intake.health().problem, "the trouble")
        problem = bed.intake.health().problem
        bed.inbox.mkdir()
        wait_until(lambda: (bed.inbox / "results").is_dir(), "the sub-directories")
        wait_until(bed.intake.is_idle, "the first look")
        bed.drop("b.json")
        wait_until(lambda: receipt_of(bed, "b"), "the receipt")
        health = bed.intake.health()

    assert "No such file or directory" in str(problem)
    assert (health.problem, health.watch_problem, health.is_alive) == (None, None, True)
    events = [getattr(record, "event", "") for record in caplog.records]
    assert events.count("intake_degraded") == 1


def test_an_inbox_renamed_away_and_replaced_is_left_for_the_new_one(tmp_path: Path) -> None:
    with IntakeBed(tmp_path, settle_seconds=600.0).running() as bed:
        bed.wait_taken()
        bed.inbox.rename(tmp_path / "old")
        bed.inbox.mkdir()
        wait_until(lambda: (bed.inbox / "results").is_dir(), "the sub-directories")
        wait_until(bed.intake.is_idle, "the first look")
        (tmp_path / "old/left.json").write_bytes(ONE_TASK)
        bed.drop("a.json")
        bed.wait_idle()
        trees = bed.trees()

    assert trees == [("a.json", "completed")]
    assert (tmp_path / "old/left.json").exists()


def test_an_inbox_that_is_removed_is_missed_within_a_scan_interval(tmp_path: Path) -> None:
    with IntakeBed(tmp_path, scan_interval_seconds=0.2).running() as bed:
        bed.wait_idle()
        for name in ("accepted", "rejected", "results", ".claimed"):
            (bed.inbox / name).rename(tmp_path / name)  # or they would be made again meanwhile
        bed.inbox.rmdir()
        wait_until(lambda: bed.intake.health().problem, "the trouble")
        bed.inbox.mkdir()
        bed.drop("a.json")
        bed.wait_idle()

    assert receipt_of(bed, "a")


@pytest.mark.parametrize("name", ["accepted", "rejected", "results", ".claimed"])
def test_a_subdirectory_that_is_removed_is_made_again(tmp_path: Path, name: str) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_idle()
        shutil.rmtree(bed.inbox / name)
        bed.drop("good.json")
        bed.drop("bad.json", b"[]")
        bed.wait_idle()

    assert bed.names("accepted") == ["good.json", "good.receipt.json"]
    assert bed.names("rejected") == ["bad.json", "bad.receipt.json"]
    assert bed.names("results") == ["good.result.json"]


def test_an_inbox_that_opens_to_the_world_is_not_taken_from_until_it_is_closed(
    tmp_path: Path,
) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_idle()
        (tmp_path / "new").mkdir()
        (tmp_path / "new").chmod(0o777)
        bed.inbox.rename(tmp_path / "old")
        (tmp_path / "new").rename(bed.inbox)
        bed.drop("a.json")
        wait_until(lambda: "chmod o-w" in str(bed.intake.health().problem), "the refusal")
        is_untouched = bed.names() == ["a.json"]
        bed.inbox.chmod(0o770)
        bed.wait_idle()

    assert is_untouched
    assert receipt_of(bed, "a")


def test_a_second_intake_on_the_inbox_is_refused_and_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with IntakeBed(tmp_path / "one").running() as first:
        second = IntakeBed(tmp_path / "two", path=first.inbox)
        with pytest.raises(InboxInUse) as caught, second.running():
            pass

    assert caught.value.exit_code == 73


def test_an_inbox_that_is_a_file_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path)
    bed.inbox.rmdir()
    bed.inbox.touch()

    with pytest.raises(ConfigurationError, match="Not a directory"), bed.running():
        pass


def test_a_receipt_that_cannot_be_written_is_owed_and_keeps_nobody_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_idle()
        # A directory in the receipt's place: no user's rights and no full disk are needed for it.
        (bed.inbox / "accepted/a.receipt.json").mkdir()
        bed.drop("a.json", array("a"))
        wait_until(lambda: bed.intake.health().problem, "the trouble")
        problem = bed.intake.health().problem
        bed.drop("b.json")
        wait_until(lambda: receipt_of(bed, "b"), "the other's receipt")
        is_idle = bed.intake.is_idle()
        waits_in_claimed = len(list((bed.inbox / ".claimed").iterdir())) == 2
        (bed.inbox / "accepted/a.receipt.json").rmdir()
        bed.wait_idle()
        trees = bed.trees()
        files = [getattr(event, "file_name", b"") for event in bed.events]
        problem_after = bed.intake.health().problem

    assert str(problem).startswith("a.json cannot be answered")
    assert (is_idle, waits_in_claimed, problem_after) == (False, True, None)
    assert sorted(trees) == [("a.json", "completed"), ("b.json", "completed")]
    assert sorted(files) == [b"a.json", b"b.json"], "each is told of once"
    assert bed.names("accepted") == ["a.json", "a.receipt.json", "b.json", "b.receipt.json"]
    told = [
        record for record in caplog.records if getattr(record, "event", "") == "receipt_not_written"
    ]
    assert len(told) == 1


_FULL = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from intake_bed import IntakeBed, array, wait_until
disk = Path(sys.argv[1], "disk")
with IntakeBed(Path(sys.argv[1]), path=disk / "inbox").running() as bed:
    bed.wait_idle()
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError:
            pass
    os.link(disk / "ballast", bed.inbox / "full.json")  # no block is free for a file of our own
    (disk / "ballast").unlink()
    wait_until(lambda: "No space left" in str(bed.intake.health().problem), "the full disk")
    print("full", bed.names("rejected"), bed.intake.is_idle())
    for path in (bed.inbox / ".claimed").glob("*full.json"):
        os.truncate(path, 10)
    bed.drop("a.json")
    bed.wait_idle()
    print("well", bed.names("accepted"), bed.codes("full"), bed.intake.health().problem)
"""


def test_a_full_disk_is_told_and_what_is_owed_is_paid_once_there_is_space(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=256k,mode=0755 none "$0" && exec "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    disk = str(tmp_path / "disk")
    if subprocess.run([*unshare, disk, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine gives no user namespaces")
    program = [sys.executable, "-c", _FULL, str(tmp_path), str(Path(__file__).parent)]
    done = subprocess.run(
        [*unshare, disk, *program], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout.splitlines() == [
        "full [] False",
        "well ['a.json', 'a.receipt.json'] ['invalid_json'] None",
    ], done.stderr


def test_results_that_cannot_be_written_are_written_once_they_can(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_idle()
        (bed.inbox / "results/a.result.json").mkdir()
        bed.drop("a.json")
        wait_until(lambda: bed.answers.problem, "the trouble")
        (bed.inbox / "results/a.result.json").rmdir()
        bed.wait_idle()
        problem = bed.answers.problem

    assert bed.read("results/a.result.json")["status"] == "completed"
    assert problem is None


def test_start_and_stop_may_come_twice(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path)
    with bed.running():
        bed.intake.start()
        bed.answers.start()
        bed.wait_idle()
        bed.intake.stop()
        bed.intake.stop()
        bed.answers.stop()
        bed.answers.stop()

    assert bed.intake.health().is_alive is False


_WITHOUT_RIGHTS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from intake_bed import IntakeBed, wait_until
bed = IntakeBed(Path(sys.argv[1]), scan_interval_seconds=0.2)
bed.drop("unreadable.json")
(bed.inbox / "unreadable.json").chmod(0)
with bed.running():
    bed.wait_idle()
    print(bed.codes("unreadable"))
    with (bed.inbox / "a.json").open("wb") as file:
        file.write(b'[{"id": "a", "executor": "noop"}]')
        file.flush()
        bed.inbox.chmod(0o000)
        wait_until(lambda: "Permission denied" in str(bed.intake.health().problem), "no look")
    bed.inbox.chmod(0o500)
    wait_until(lambda: "cannot be taken out" in str(bed.intake.health().problem), "no claim")
    bed.inbox.chmod(0o700)
    bed.wait_idle()
    print(bed.intake.health().problem, bed.names("accepted"))
"""


def test_a_daemon_without_rights_says_so_and_goes_on_when_it_has_them(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _WITHOUT_RIGHTS, str(tmp_path), str(Path(__file__).parent)]
    if is_root:  # who may do everything: so not
        program = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *program]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout.splitlines() == [
        "['unreadable']",
        "None ['a.json', 'a.receipt.json']",
    ], done.stderr


_WITHOUT_INOTIFY = """
import sys
from pathlib import Path
Path("/proc/sys/user/max_inotify_instances").write_text("0")
sys.path.insert(0, sys.argv[2])
from intake_bed import IntakeBed, wait_until
with IntakeBed(Path(sys.argv[1])).running() as bed:
    bed.wait_idle()
    bed.drop("a.json")
    wait_until(lambda: (bed.inbox / "accepted/a.receipt.json").exists(), "the receipt")
    print(bed.intake.health().watch_problem)
    Path("/proc/sys/user/max_inotify_instances").write_text("16")
    wait_until(lambda: bed.intake.health().watch_problem is None, "the watch")
    print("watched")
"""


def test_without_inotify_files_are_found_by_looking_and_the_watch_comes_back(
    tmp_path: Path,
) -> None:
    unshare = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine gives no user namespaces")
    done = subprocess.run(
        [
            *unshare,
            sys.executable,
            "-c",
            _WITHOUT_INOTIFY,
            str(tmp_path),
            str(Path(__file__).parent),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.splitlines() == ["inotify instance limit reached", "watched"], done.stderr


@pytest.mark.parametrize("name", ["accepted", "rejected", "results", ".claimed"])
def test_a_subdirectory_that_is_moved_away_is_made_again_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("old.json")
        bed.wait_idle()
        (bed.inbox / name).rename(tmp_path / "archive")
        before = sorted(path.name for path in (tmp_path / "archive").iterdir())
        bed.drop("good.json")
        bed.drop("bad.json", b"[]")
        bed.wait_idle()

    assert (bed.inbox / "accepted/good.receipt.json").exists()
    assert (bed.inbox / "rejected/bad.receipt.json").exists()
    assert (bed.inbox / "results/good.result.json").exists()
    assert sorted(path.name for path in (tmp_path / "archive").iterdir()) == before
    told = [
        getattr(record, "path", None)
        for record in caplog.records
        if getattr(record, "event", "") == "inbox_directory_exchanged"
    ]
    assert told == [str(bed.inbox / name)]


def test_results_moved_away_while_a_tree_runs_are_written_where_results_are_now(
    tmp_path: Path,
) -> None:
    with IntakeBed(tmp_path, scan_interval_seconds=600.0).running() as bed:
        bed.drop("slow.json", array("a", executor="stay"))
        bed.wait_taken()
        wait_until(lambda: bed.staying, "the start")
        (bed.inbox / "results").rename(tmp_path / "archive")
        bed.end_staying()
        wait_until(lambda: (bed.inbox / "results/slow.result.json").exists(), "the result")

    assert list((tmp_path / "archive").iterdir()) == []


def test_a_subdirectory_exchanged_for_a_symlink_is_refused_until_it_is_gone(
    tmp_path: Path,
) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_idle()
        (bed.inbox / "accepted").rename(tmp_path / "archive")
        (bed.inbox / "accepted").symlink_to(tmp_path / "archive")
        bed.drop("a.json")
        wait_until(lambda: "not a symlink" in str(bed.intake.health().problem), "the refusal")
        is_untouched = bed.names() == ["a.json", "accepted", "rejected", "results"]
        (bed.inbox / "accepted").unlink()
        bed.wait_idle()

    assert is_untouched
    assert list((tmp_path / "archive").iterdir()) == []
    assert receipt_of(bed, "a")


def test_an_inbox_that_is_removed_is_missed_long_before_the_next_scan(tmp_path: Path) -> None:
    with IntakeBed(tmp_path, scan_interval_seconds=600.0).running() as bed:
        bed.wait_idle()
        for name in ("accepted", "rejected", "results", ".claimed"):
            (bed.inbox / name).rename(tmp_path / name)  # or one may be made again meanwhile
        bed.inbox.rmdir()
        wait_until(lambda: bed.intake.health().problem, "the trouble")
        bed.inbox.mkdir()
        bed.drop("a.json")
        bed.wait_idle()

    assert receipt_of(bed, "a")


_READ_ONLY = """
import logging, subprocess, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from intake_bed import IntakeBed, array, wait_until
events = []
class Keep(logging.Handler):
    def emit(self, record):
        events.append(getattr(record, "event", ""))
logging.basicConfig(level=logging.INFO, handlers=[Keep()])
bed = IntakeBed(Path(sys.argv[1]), scan_interval_seconds=0.2)
with bed.running():
    bed.wait_idle()
    with (bed.inbox / "a.json").open("wb") as file:
        file.write(b'[{"id": "a", "executor": "noop"}]')
        file.flush()
        bed.inbox.chmod(0o500)
    wait_until(bed.intake.lasting_problem, "a problem that lasts")
    print(events.count("file_not_claimed"), events.count("intake_recovered"))
    print(bed.intake.is_idle(), bed.intake.lasting_problem() is not None)
    bed.inbox.chmod(0o700)
    bed.wait_idle()
    print(events.count("intake_recovered"), bed.intake.lasting_problem())
    (bed.inbox / "accepted").chmod(0o500)
    bed.drop("b.json")
    wait_until(lambda: bed.intake.health().problem, "no receipt")
    print(str(bed.inbox / "accepted") in bed.intake.health().problem)
    (bed.inbox / "accepted").chmod(0o700)
    bed.wait_idle()
    bed.drop("c.json")
    bed.wait_idle()
    bed.inbox.chmod(0o500)
bed.inbox.chmod(0o700)
bed.drop("left.json")
bed.inbox.chmod(0o500)
done = subprocess.run([sys.executable, "-m", "inboxd", "run", "--until-idle", "--state",
    sys.argv[1] + "/state", "--inbox", str(bed.inbox)], capture_output=True, text=True, timeout=50)
print(done.returncode, "left.json cannot be taken" in done.stderr, done.stderr.count("works again"))
bed.inbox.chmod(0o700)
"""


def test_a_file_that_cannot_be_taken_is_told_once_and_does_not_hinder_the_end(
    tmp_path: Path,
) -> None:
    program = [sys.executable, "-c", _READ_ONLY, str(tmp_path), str(Path(__file__).parent)]
    if is_root:  # who may do everything: so not
        program = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *program]
    done = subprocess.run(program, capture_output=True, text=True, timeout=90, check=False)

    assert done.stdout.splitlines() == [
        "1 0",
        "False True",
        "1 None",
        "True",
        "1 True 0",
    ], done.stderr
