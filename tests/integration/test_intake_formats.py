"""Task files of other formats: taken by their suffix, and answered under it."""

from __future__ import annotations

import datetime
import hashlib
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.inbox.formats import MOST_PARSED_BYTES, Formats
from inboxd.plugins.hooks import Hooks, Implementation
from inboxd.plugins.protocol import ParseProblem

from .intake_bed import IntakeBed, array, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CLAIM = "0191a3f0-0000-7000-8000-000000000001"


class Lines(list[Any]):
    """Tasks, one a line; that of a value is the line of its task."""

    def position_of(
        self, path: tuple[str | int, ...], *, at_key: bool = False
    ) -> tuple[int, int] | None:
        """Return the line of the task, and whether a key is meant as the column."""
        return (int(path[0]) + 1 if path else 1, 2 if at_key else 1)


def parse(path: Path, data: bytes) -> Any:
    """Read a file that has the id of a task on each line, after `!` whatever that names."""
    if path.suffix != ".rows":
        return None
    lines = data.decode().split()
    if lines[0] == "!wait":
        threading.Event().wait()
    answers: dict[str, Any] = {
        "!bug": lambda: 1 // 0,
        "!exit": lambda: exit(3),
        "!number": lambda: 5,
        "!date": lambda: [{"id": "a", "inputs": {"x": datetime.date(2026, 11, 24)}}],
        "!typo": lambda: Lines([{"id": "a", "executor": "noop", "prority": 1}]),
        "!key": lambda: {"idempotency_key": "k", "tasks": [{"id": lines[1], "executor": "noop"}]},
        "!says": lambda: _say(ParseProblem("no\x1bgood", line=3, column=4, code=lines[1])),
        "!lies": lambda: _say(ParseProblem("no good", line=0, column=-1)),
    }
    if lines[0] in answers:
        return answers[lines[0]]()
    return Lines({"id": line, "executor": "noop"} for line in lines)


def _say(problem: ParseProblem) -> None:
    raise problem


def formats(function: Callable[..., Any] = parse) -> Formats:
    """Return the formats of a daemon with one plugin."""
    one = Implementation(
        plugin="rows",
        distribution="inboxd-rows 1.0",
        hook="inboxd_parse_file",
        function=function,
        arguments=("path", "data"),
    )
    return Formats(Hooks([one], suffixes={".rows": "rows"}, parse_seconds=0.5))


@pytest.fixture
def bed(tmp_path: Path) -> IntakeBed:
    made = IntakeBed(tmp_path)
    made.formats = formats()
    return made


def errors_of(bed: IntakeBed, name: str) -> list[dict[str, Any]]:
    """Return the errors of the receipt of a rejected file."""
    errors: list[dict[str, Any]] = bed.read(f"rejected/{name}.receipt.json")["errors"]
    return errors


def test_answers_keep_the_suffix(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("report.rows", b"a b")
        bed.wait_idle()

        assert bed.names("accepted") == ["report.rows", "report.rows.receipt.json"]
        assert bed.names("results") == ["report.rows.result.json"]
        receipt = bed.read("accepted/report.rows.receipt.json")
        assert (receipt["file"], list(receipt["tasks"])) == ("report.rows", ["a", "b"])


def test_the_formats_of_one_stem_do_not_meet(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("report.rows", b"a")
        bed.drop("report.json", array("b"))
        bed.wait_idle()

        assert bed.names("accepted") == [
            "report.json", "report.receipt.json", "report.rows", "report.rows.receipt.json",
        ]  # fmt: skip
        assert list(bed.read("accepted/report.receipt.json")["tasks"]) == ["b"]
        assert list(bed.read("accepted/report.rows.receipt.json")["tasks"]) == ["a"]


@pytest.mark.parametrize("is_json_first", [True, False])
def test_a_name_that_ends_in_both_suffixes_shares_the_answers_as_a_second_drop_does(
    bed: IntakeBed, is_json_first: bool
) -> None:
    drops = [("report.rows.json", array("j")), ("report.rows", b"r")]
    if not is_json_first:
        drops.reverse()
    with bed.running():
        for name, content in drops:
            bed.drop(name, content)
            bed.wait_idle()
        trees = dict(bed.query("SELECT file_name, public_id FROM trees"))
        first = trees[drops[0][0].encode()]

        # The newest drop has the plain names; all that was the first one's lies beside it.
        newest = bed.read("accepted/report.rows.receipt.json")
        assert newest["file"] == drops[1][0]
        earlier = bed.read(f"accepted/report.rows.{first}.receipt.json")
        assert earlier["file"] == drops[0][0]
        aside = f"report.rows.{first}" + (".json" if is_json_first else "")
        assert (bed.inbox / "accepted" / aside).read_bytes() == drops[0][1]
        assert (bed.inbox / "accepted" / drops[1][0]).read_bytes() == drops[1][1]
        assert sorted(bed.names("results")) == sorted(
            ["report.rows.result.json", f"report.rows.{first}.result.json"]
        )


def test_a_later_drop_of_the_name_moves_the_earlier_one_aside(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("report.rows", b"a")
        bed.wait_idle()
        first = bed.read("accepted/report.rows.receipt.json")["tree_id"]
        bed.drop("report.rows", b"b")
        bed.wait_idle()

        assert bed.names("accepted") == sorted(
            [
                "report.rows",
                "report.rows.receipt.json",
                f"report.rows.{first}",
                f"report.rows.{first}.receipt.json",
            ]
        )


@pytest.mark.parametrize("name", ["report.ROWS", "report.rows.tmp", "report.rows~", ".a.rows"])
def test_other_names_stay(bed: IntakeBed, name: str) -> None:
    with bed.running():
        bed.drop(name, b"a")
        bed.wait_idle()

        assert (bed.inbox / name).exists()


def test_the_sum_is_that_of_the_file(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("report.rows", b"a")
        bed.wait_idle()

        expected = hashlib.sha256(b"a").hexdigest()
        assert bed.read("accepted/report.rows.receipt.json")["sha256"] == expected


def test_an_error_has_the_place_that_the_plugin_gives(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("report.rows", b"!typo")
        bed.wait_idle()

        (error,) = errors_of(bed, "report.rows")
        assert (error["code"], error["pointer"]) == ("unknown_field", "/0/prority")
        assert (error["line"], error["column"]) == (1, 2)


@pytest.mark.parametrize(("code", "told"), [("too_deep", "too_deep"), ("odd", "invalid_value")])
def test_what_the_plugin_says_is_told_and_cannot_harm(bed: IntakeBed, code: str, told: str) -> None:
    with bed.running():
        bed.drop("report.rows", f"!says {code}".encode())
        bed.wait_idle()

        (error,) = errors_of(bed, "report.rows")
        assert (error["code"], error["line"], error["column"]) == (told, 3, 4)
        assert error["message"] == r"no\x1bgood"


def test_a_place_that_cannot_be_is_none(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("report.rows", b"!lies")
        bed.wait_idle()

        (error,) = errors_of(bed, "report.rows")
        assert (error["line"], error["column"]) == (None, None)


def test_what_is_no_json_is_an_error_without_a_place(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("report.rows", b"!date")
        bed.wait_idle()

        (error,) = errors_of(bed, "report.rows")
        assert (error["code"], error["pointer"]) == ("wrong_type", "/0/inputs/x")
        assert (error["line"], error["column"]) == (None, None)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"!bug", "ZeroDivisionError"), (b"!exit", "SystemExit"), (b"!number", "int")],
)
def test_a_fault_of_the_plugin_costs_the_file_and_names_the_plugin(
    bed: IntakeBed, content: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with bed.running():
        bed.drop("bad.rows", content)
        bed.drop("good.rows", b"a")
        bed.wait_idle()

        (error,) = errors_of(bed, "bad.rows")
        assert error["code"] == "unreadable"
        assert '"rows" (inboxd-rows 1.0)' in error["message"]
        assert said in error["message"]
        assert bed.names("accepted") == ["good.rows", "good.rows.receipt.json"]
        assert [record.getMessage() for record in caplog.records if "rows" in record.getMessage()]


def test_a_plugin_that_hangs_costs_its_limit_once(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("slow.rows", b"!wait")
        bed.wait_taken()
        bed.drop("next.rows", b"a")
        bed.drop("other.json")
        bed.wait_idle()

        (slow,) = errors_of(bed, "slow.rows")
        assert slow["code"] == "unreadable"
        assert "within" in slow["message"]
        (after,) = errors_of(bed, "next.rows")
        assert after["code"] == "unreadable"
        assert "inboxd plugins" in after["hint"]
        assert (bed.inbox / "rejected" / "next.rows").read_bytes() == b"a"
        assert bed.names("accepted") == ["other.json", "other.receipt.json"]


def test_a_file_too_large_for_a_plugin_is_refused_unread(bed: IntakeBed) -> None:
    with bed.running():
        bed.drop("huge.rows", b"a" * (MOST_PARSED_BYTES + 1))
        bed.wait_idle()

        assert bed.codes("huge.rows") == ["too_large"]


def test_a_file_that_was_claimed_for_a_plugin_that_is_gone_is_rejected_whole(
    bed: IntakeBed,
) -> None:
    with bed.running():
        bed.wait_idle()
    (bed.inbox / ".claimed" / f"{CLAIM}-report.rows").write_bytes(b"a")
    bed.formats = None
    with bed.running():
        bed.wait_idle()

        (error,) = errors_of(bed, "report.rows")
        assert error["code"] == "unreadable"
        assert "*.rows" in error["message"]
        assert "drop" in error["hint"] or "give" in error["hint"]
        assert (bed.inbox / "rejected" / "report.rows").read_bytes() == b"a"


def test_what_is_kept_of_a_long_name_is_still_called_too_long(bed: IntakeBed) -> None:
    with bed.running():
        bed.wait_idle()
    kept = "x" * 150 + "~0123abcd"
    (bed.inbox / ".claimed" / f"{CLAIM}-{kept}").write_bytes(b"a")
    with bed.running():
        bed.wait_idle()

        assert bed.codes(kept) == ["name_too_long"]


def test_a_yaml_file_without_its_plugin_stays_and_is_told_of(
    bed: IntakeBed, caplog: pytest.LogCaptureFixture
) -> None:
    bed.formats = None
    caplog.set_level(logging.WARNING)
    with bed.running():
        bed.drop("report.yaml", b"- a")
        bed.drop("notes.txt", b"- a")
        bed.drop("wake.json")
        wait_until(lambda: "file_misplaced" in events(caplog), "the warning")
        bed.wait_idle()

        assert (bed.inbox / "report.yaml").read_bytes() == b"- a"
        told = [r for r in caplog.records if getattr(r, "event", "") == "file_misplaced"]
        assert [(r.file, "inboxd-yaml" in r.reason) for r in told] == [  # type: ignore[attr-defined]  # extra
            ("report.yaml", True)
        ]


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the names of the events that were logged."""
    return [getattr(record, "event", "") for record in caplog.records]


def test_a_conflict_of_keys_has_the_place_of_the_key(bed: IntakeBed) -> None:
    class Keyed(dict[str, Any]):
        def position_of(
            self, path: tuple[str | int, ...], *, at_key: bool = False
        ) -> tuple[int, int] | None:
            return (7, 19) if path == ("idempotency_key",) else None

    bed.formats = formats(lambda path, data: Keyed(parse(path, data)))
    with bed.running():
        bed.drop("one.rows", b"!key a")
        bed.wait_idle()
        bed.drop("two.rows", b"!key b")
        bed.wait_idle()

        (error,) = errors_of(bed, "two.rows")
        assert error["code"] == "idempotency_conflict"
        assert (error["line"], error["column"]) == (7, 19)
