"""Output of commands: however much it is, the daemon's memory and the disk are bounded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.running.logs import Dropped, attempt_log_paths, log_pieces

from ..unit.running.runner_bed import RunnerBed, attempt, completed, failed, until

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
BOUND = 4 * MIB


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[RunnerBed]:
    with RunnerBed(tmp_path / "state", max_output_bytes=BOUND) as made:
        yield made


@pytest.fixture
def out(bed: RunnerBed) -> Path:
    return attempt_log_paths(bed.state, attempt().tree_id, 0, 1)[0]


def _on_disk(path: Path) -> int:
    return path.stat().st_blocks * 512


def _memory() -> int:
    """Return the memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def test_a_gibibyte_costs_no_memory_and_no_more_disk_than_the_bound(
    bed: RunnerBed, out: Path
) -> None:
    bed.command({"argv": ["true"]}, position=1)
    before = _memory()

    outcome = bed.command({"script": "head -c 1073741824 /dev/zero"})

    assert completed(outcome)["truncated"] is True
    assert out.stat().st_size == 1 << 30
    assert _on_disk(out) <= BOUND + 64 * 1024
    assert _memory() - before < 32 * MIB


def test_output_is_bounded_while_the_command_runs(bed: RunnerBed, out: Path) -> None:
    bed.runner.run(
        [
            one := attempt(
                "command",
                {"script": "head -c 67108864 /dev/zero; until [ -e done ]; do sleep 0.01; done"},
            )
        ]
    )

    until(lambda: out.exists() and out.stat().st_size == 64 * MIB)
    until(lambda: _on_disk(out) <= BOUND + 64 * 1024)
    (bed.state / "trees" / one.tree_id / "done").touch()

    assert completed(bed.outcome(one))["exit_code"] == 0


def test_beginning_and_end_are_kept_and_the_middle_is_told(bed: RunnerBed, out: Path) -> None:
    bed.command({"script": "echo first; seq 1 3000000; echo last"})

    pieces = list(log_pieces(out))
    dropped = [piece.size for piece in pieces if isinstance(piece, Dropped)]
    kept = [piece for piece in pieces if isinstance(piece, bytes)]
    assert kept[0].startswith(b"first\n1\n2\n")
    assert kept[-1].endswith(b"3000000\nlast\n")
    assert len(dropped) == 1
    assert dropped[0] + sum(map(len, kept)) == out.stat().st_size


def test_the_result_shows_nothing_of_the_hole(tmp_path: Path) -> None:
    with RunnerBed(tmp_path, max_output_bytes=32 * 1024) as bed:
        outcome = bed.command({"script": "seq 1 300000"})

    shown = completed(outcome)["stdout"]
    assert "\0" not in shown
    assert shown.endswith("299999\n300000\n")
    assert 16 * 1024 <= len(shown) < 24 * 1024


def test_a_failures_output_is_bounded_too(bed: RunnerBed, out: Path) -> None:
    outcome = failed(bed.command({"script": "head -c 33554432 /dev/zero; echo broken >&2; exit 1"}))

    assert outcome.error.message == "exit status 1: broken"
    assert _on_disk(out) <= BOUND + 64 * 1024


def test_a_writer_without_newlines_or_text_is_bounded_alike(bed: RunnerBed) -> None:
    outcome = bed.command({"script": "head -c 16777216 /dev/urandom >&2"})

    err = attempt_log_paths(bed.state, attempt().tree_id, 0, 1)[1]
    assert completed(outcome)["truncated"] is True
    assert _on_disk(err) <= BOUND + 64 * 1024
