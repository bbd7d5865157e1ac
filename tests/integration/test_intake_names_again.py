"""The same name or the same key twice: whose the answers are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .intake_bed import IntakeBed, array, wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_a_later_drop_of_a_name_moves_all_earlier_answers_aside(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("report.json", array("first"))
        bed.wait_idle()
        first = bed.read("accepted/report.receipt.json")["tree_id"]
        bed.drop("report.json", array("second"))
        bed.wait_idle()
        second = bed.read("accepted/report.receipt.json")["tree_id"]

        results = {name: bed.read(f"results/{name}")["tree_id"] for name in bed.names("results")}

    assert bed.names("accepted") == sorted(
        ["report.json", "report.receipt.json", f"report.{first}.json",
         f"report.{first}.receipt.json"]
    )  # fmt: skip
    assert results == {"report.result.json": second, f"report.{first}.result.json": first}
    assert (bed.inbox / f"accepted/report.{first}.json").read_bytes() == array("first")


def test_an_earlier_tree_that_ends_later_writes_under_its_id(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("report.json", array("slow", executor="stay"))
        bed.wait_taken()
        first = bed.read("accepted/report.receipt.json")["tree_id"]
        bed.drop("report.json", array("quick"))
        wait_until(lambda: bed.names("results"), "the second tree's result")
        before = bed.names("results")
        bed.end_staying()
        bed.wait_idle()

        late = bed.read(f"results/report.{first}.result.json")

    assert before == ["report.result.json"]
    assert late["tree_id"] == first


def test_a_rejected_file_stands_aside_by_the_time_it_was_received(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("report.json", b"[]")
        bed.wait_idle()
        received_at = bed.read("rejected/report.receipt.json")["received_at"]
        bed.drop("report.json")
        bed.wait_idle()

    assert bed.names("rejected") == [
        f"report.{received_at}.json",
        f"report.{received_at}.receipt.json",
    ]
    assert bed.names("accepted") == ["report.json", "report.receipt.json"]


def test_ten_drops_of_one_name_leave_ten_sets_of_answers(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        for number in range(10):
            bed.drop("report.json", array(f"t{number}"))
            bed.wait_idle()

        owners = {
            bed.read(f"accepted/{name}")["tree_id"]: list(bed.read(f"accepted/{name}")["tasks"])
            for name in bed.names("accepted")
            if name.endswith(".receipt.json")
        }
        results = {
            bed.read(f"results/{name}")["tree_id"]: bed.read(f"results/{name}")["tasks"][0]["id"]
            for name in bed.names("results")
        }

    assert sorted(owners.values()) == [[f"t{number}"] for number in range(10)]
    assert results == {tree: tasks[0] for tree, tasks in owners.items()}
    assert len(bed.names("accepted")) == 20


def test_a_name_used_again_at_once_and_often_never_mixes_answers_up(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        for number in range(60):
            bed.drop("report.json", array(f"t{number}"))
            wait_until(lambda: not (bed.inbox / "report.json").exists(), "the claim")
        bed.wait_idle()

        receipts = {
            name.removesuffix(".receipt.json"): bed.read(f"accepted/{name}")
            for name in bed.names("accepted")
            if name.endswith(".receipt.json")
        }
        results = {
            name.removesuffix(".result.json"): bed.read(f"results/{name}")
            for name in bed.names("results")
        }

    assert len(receipts) == 60
    assert list(receipts["report"]["tasks"]) == ["t59"]
    assert {stem: receipt["tree_id"] for stem, receipt in receipts.items()} == {
        stem: result["tree_id"] for stem, result in results.items()
    }


def test_a_file_that_has_the_name_of_answers_that_stand_aside_takes_it(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("report.json", array("first"))
        bed.wait_idle()
        first = bed.read("accepted/report.receipt.json")["tree_id"]
        bed.drop("report.json", array("second"))
        bed.wait_idle()
        bed.drop(f"report.{first}.json", array("third"))
        bed.wait_idle()

        third = bed.read(f"accepted/report.{first}.receipt.json")
        aside = bed.read(f"accepted/report.{first}.{first}.receipt.json")

    assert list(third["tasks"]) == ["third"]
    assert list(aside["tasks"]) == ["first"]


def test_the_same_content_under_two_names_is_two_trees(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("one.json")
        bed.drop("two.json")
        bed.wait_idle()

        trees = bed.trees()

    assert sorted(trees) == [("one.json", "completed"), ("two.json", "completed")]


def test_the_same_key_again_runs_nothing_and_answers_with_the_first_tree(tmp_path: Path) -> None:
    content = array("a", idempotency_key="2026-11-24")
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("one.json", content)
        bed.wait_idle()
        bed.drop("two.json", content)
        bed.wait_idle()

        first, second = (bed.read(f"accepted/{name}.receipt.json") for name in ("one", "two"))
        results = [(bed.inbox / f"results/{name}.result.json").read_bytes() for name in
                   ("one", "two")]  # fmt: skip
        trees = bed.trees()

    assert trees == [("one.json", "completed")]
    assert second == {
        **first,
        "file": "two.json",
        "duplicate": True,
        "received_at": second["received_at"],
    }
    assert results[0] == results[1]
    assert bed.names("accepted") == [
        "one.json", "one.receipt.json", "two.json", "two.receipt.json",
    ]  # fmt: skip


def test_a_duplicate_of_a_tree_that_runs_gets_its_result_when_that_ends(tmp_path: Path) -> None:
    content = array("a", executor="stay", idempotency_key="k")
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("one.json", content)
        bed.wait_taken()
        bed.drop("two.json", content)
        bed.wait_taken()
        before = bed.names("results")
        bed.end_staying()
        bed.wait_idle()

    assert before == []
    assert bed.names("results") == ["one.result.json", "two.result.json"]


def test_a_duplicate_of_the_same_name_leaves_the_first_its_result(tmp_path: Path) -> None:
    content = array("a", idempotency_key="k")
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("one.json", content)
        bed.wait_idle()
        tree = bed.read("accepted/one.receipt.json")["tree_id"]
        bed.drop("one.json", content)
        bed.wait_idle()
        received_at = bed.read("accepted/one.receipt.json")["received_at"]
        bed.drop("one.json", content)
        bed.wait_idle()

    assert bed.names("results") == sorted(
        ["one.result.json", f"one.{tree}.result.json", f"one.{received_at}.result.json"]
    )


def test_other_content_under_a_key_is_a_conflict(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("one.json", array("a", idempotency_key="k"))
        bed.wait_idle()
        tree = bed.read("accepted/one.receipt.json")["tree_id"]
        bed.drop(
            "two.json",
            b'{"tasks": [{"id": "b", "executor": "noop"}],\n "idempotency_key": "k"}',
        )
        bed.wait_idle()
        error = bed.read("rejected/two.receipt.json")["errors"][0]

    assert error["code"] == "idempotency_conflict"
    assert error["pointer"] == "/idempotency_key"
    assert (error["line"], error["column"]) == (2, 21)
    assert tree in error["message"]


def test_two_files_of_one_scan_with_one_key_are_one_tree(tmp_path: Path) -> None:
    content = array("a", idempotency_key="k")
    bed = IntakeBed(tmp_path)
    for number in range(20):
        bed.drop(f"{number:02}.json", content)
    with bed.running():
        bed.wait_idle()
        trees = bed.trees()

    assert len(trees) == 1
    assert len(bed.names("results")) == 20


def test_a_key_is_free_again_when_its_tree_failed(tmp_path: Path) -> None:
    content = array("a", executor="fail", idempotency_key="k")
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("one.json", content)
        bed.wait_idle()
        bed.drop("two.json", content)
        bed.wait_idle()
        trees = bed.trees()

    assert trees == [("one.json", "failed"), ("two.json", "failed")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to other users")
def test_keys_are_each_owner_s_own(tmp_path: Path) -> None:
    content = array("a", idempotency_key="k")
    bed = IntakeBed(tmp_path)
    for owner in (0, 4242):
        bed.drop(f"{owner}.json", content)
        os.chown(bed.inbox / f"{owner}.json", owner, -1)
    with bed.running():
        bed.wait_idle()
        trees = bed.trees()

    assert len(trees) == 2


def test_a_large_array_repeats_like_a_small_one(tmp_path: Path) -> None:
    content = array(*(f"t{number}" for number in range(2_500)), idempotency_key="k")
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("one.json", content)
        bed.wait_idle()
        bed.drop("two.json", content)
        bed.wait_idle()
        trees = bed.trees()
        receipt = bed.read("accepted/two.receipt.json")

    assert len(trees) == 1
    assert (receipt["duplicate"], len(receipt["tasks"])) == (True, 2_500)


def contents(bed: IntakeBed) -> list[bytes]:
    """Return what lies in the directories of answers, in order of content."""
    return sorted(
        path.read_bytes()
        for directory in ("accepted", "rejected", "results")
        for path in (bed.inbox / directory).iterdir()
    )


def forget(bed: IntakeBed) -> None:
    """Remove the state, as people do who want to begin anew."""
    for path in bed.directory.glob("inboxd.db*"):
        path.unlink()


@pytest.mark.parametrize("content", [array("new"), b"[]"])
@pytest.mark.parametrize("earlier", [array("old"), b"[1]"])
def test_answers_of_a_state_that_was_removed_stand_aside(
    tmp_path: Path, earlier: bytes, content: bytes
) -> None:
    bed = IntakeBed(tmp_path)
    with bed.running():
        bed.drop("report.json", earlier)
        bed.wait_idle()
    before = contents(bed)
    names = {name: set(bed.names(name)) for name in ("accepted", "rejected", "results")}
    forget(bed)
    with bed.running():
        bed.drop("report.json", content)
        bed.wait_idle()

    after = contents(bed)
    assert [one for one in before if one not in after] == []
    home = "rejected" if content == b"[]" else "accepted"
    other = "accepted" if content == b"[]" else "rejected"
    assert (bed.inbox / home / "report.json").read_bytes() == content
    assert not (bed.inbox / other / "report.json").exists()
    assert not (bed.inbox / other / "report.receipt.json").exists()
    assert (bed.inbox / "results/report.result.json").exists() == (content != b"[]")
    assert names["results"] <= {"report.result.json"}
    aside = [name for name in bed.names("accepted") + bed.names("rejected") if name[:7] == "report."
             and name not in ("report.json", "report.receipt.json")]  # fmt: skip
    assert len({name.removesuffix(".json").removesuffix(".receipt") for name in aside}) == 1


def test_a_file_that_a_person_put_under_the_name_stands_aside_by_its_time(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.wait_idle()
        (bed.inbox / "accepted/pre.json").write_bytes(b"mine")
        (bed.inbox / "results/pre.result.json").write_bytes(b"mine too")
        os.utime(bed.inbox / "accepted/pre.json", (1_700_000_000, 1_700_000_000))
        os.utime(bed.inbox / "results/pre.result.json", (1_700_000_000, 1_700_000_000))
        bed.drop("pre.json")
        bed.wait_idle()

    aside = "pre.2023-11-14T22:13:20.000000Z"
    assert bed.names("accepted") == [f"{aside}.json", "pre.json", "pre.receipt.json"]
    assert (bed.inbox / f"accepted/{aside}.json").read_bytes() == b"mine"
    assert (bed.inbox / f"results/{aside}.result.json").read_bytes() == b"mine too"


def test_a_result_put_under_the_name_while_the_tree_runs_is_not_replaced(tmp_path: Path) -> None:
    with IntakeBed(tmp_path).running() as bed:
        bed.drop("slow.json", array("a", executor="stay"))
        bed.wait_taken()
        wait_until(lambda: bed.staying, "the start")
        (bed.inbox / "results/slow.result.json").write_bytes(b"mine")
        bed.end_staying()
        bed.wait_idle()

    assert b"mine" in contents(bed)
    assert bed.read("results/slow.result.json")["status"] == "completed"


def test_two_states_in_turn_on_one_inbox_lose_no_answer(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = IntakeBed(tmp_path / "one")
    two = IntakeBed(tmp_path / "two", path=one.inbox)
    everything: list[bytes] = []
    for number in range(3):
        for bed in (one, two):
            with bed.running():
                bed.drop("report.json", array(f"t{number}", name=bed.directory.name))
                bed.wait_idle()
            everything.append((bed.inbox / "results/report.result.json").read_bytes())
            everything.append((bed.inbox / "accepted/report.receipt.json").read_bytes())
            everything.append((bed.inbox / "accepted/report.json").read_bytes())

    assert contents(one) == sorted(everything)
    for name in one.names("accepted"):
        if name.endswith(".receipt.json"):  # each receipt lies beside its own file
            [task] = one.read(f"accepted/{name}")["tasks"]
            file = one.read(f"accepted/{name.removesuffix('.receipt.json')}.json")
            assert file["tasks"][0]["id"] == task


def test_two_claims_of_one_name_that_were_left_over_are_answered_apart(tmp_path: Path) -> None:
    bed = IntakeBed(tmp_path)
    with bed.running():
        bed.wait_idle()
    for number in (1, 2):
        name = f"0000000{number}-0000-4000-8000-000000000000-report.json"
        (bed.inbox / ".claimed" / name).write_bytes(array(f"t{number}"))
    with bed.running():
        bed.wait_idle()
        trees = {
            name.removesuffix(".receipt.json"): bed.read(f"accepted/{name}")["tree_id"]
            for name in bed.names("accepted")
            if name.endswith(".receipt.json")
        }

    assert len(trees) == 2
    assert {stem: bed.read(f"results/{stem}.result.json")["tree_id"] for stem in trees} == trees
    [aside] = [stem for stem in trees if stem != "report"]
    assert aside == f"report.{trees[aside]}"
