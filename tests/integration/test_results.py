"""Results of tasks in the inputs of others, and in the context, through a whole daemon."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inboxd import NoRetry
from inboxd.running.inputs import MOST_FILLED_BYTES
from inboxd.store.reader import StoreReader
from inboxd.testing.daemon import DaemonUnderTest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from inboxd.plugins.protocol import TaskContext


class Give:
    """Returns `value`, or fails when it says so."""

    name = "give"
    description = "Returns a value."
    inputs_schema: Mapping[str, Any] | None = None
    isolation = "async"

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        if "fail" in inputs:
            raise NoRetry(inputs["fail"])
        return inputs.get("value")


class Typed(Give):
    """Returns its inputs, which are of certain types."""

    name = "typed"
    inputs_schema: Mapping[str, Any] | None = {
        "properties": {"count": {"type": "integer"}, "text": {"type": "string"}},
        "additionalProperties": False,
    }

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        return inputs


class Looking(Give):
    """Returns what `context.dependencies` holds, on the event loop."""

    name = "looking"

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        found = context.dependencies
        return {
            "all": dict(found),
            "asked": {key: found.get(key, "not there") for key in inputs.get("ask", [])},
            "thread": threading.current_thread().name,
        }


class LookingInAThread(Looking):
    """The same in a thread of the pool."""

    name = "looking-in-a-thread"
    isolation = "thread"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonUnderTest]:
    directory: Path = tmp_path_factory.mktemp("daemon")
    plugins = (Give(), Typed(), Looking(), LookingInAThread())
    with DaemonUnderTest(directory, *plugins) as running:
        yield running


def task(task_id: str, *before: object, executor: str = "give", **fields: Any) -> dict[str, Any]:
    """Return a task that depends on those *before*; fields besides `inputs` as they are."""
    return {"id": task_id, "executor": executor, "dependencies": list(before), **fields}


def ended(daemon: DaemonUnderTest, *tasks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Run tasks to their ends and return how each did, by id."""
    return {one["id"]: one for one in daemon.run(list(tasks))["tasks"]}


def filled(daemon: DaemonUnderTest, value: object, inputs: object) -> Any:
    """Return what becomes of inputs that refer to task `a`, which returns *value*."""
    tasks = ended(
        daemon,
        task("a", inputs={"value": value}),
        task("b", "a", inputs={"value": inputs}),
    )
    assert tasks["b"]["error"] is None
    return tasks["b"]["result"]


@pytest.mark.parametrize(
    "value", [None, True, 0, 3, 2.5, "", "text", [], [1, "two"], {}, {"a": {"b": [None]}}]
)
def test_an_expression_alone_is_the_value_with_its_type(
    daemon: DaemonUnderTest, value: object
) -> None:
    assert filled(daemon, {"x": value}, "{{ tasks.a.result.x }}") == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("text", "text"),
        ('"quoted"', '"quoted"'),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        (None, "null"),
        ([1, "two", None], '[1,"two",null]'),
        ({"a": {"b": "ä"}}, '{"a":{"b":"ä"}}'),
    ],
)
def test_an_expression_in_a_text_is_written_into_it(
    daemon: DaemonUnderTest, value: object, written: str
) -> None:
    assert filled(daemon, value, "<{{ tasks.a.result }}|{{tasks.a.result}}>") == (
        f"<{written}|{written}>"
    )


def test_expressions_stand_anywhere_in_inputs(daemon: DaemonUnderTest) -> None:
    inputs = {"x": [{"y": "{{ tasks.a.result[1] }}"}, "{{ tasks.a.result | length(@) }}"], "z": "z"}

    assert filled(daemon, [5, 6], inputs) == {"x": [{"y": 6}, 2], "z": "z"}


def test_what_is_no_reference_stays_as_it_is(daemon: DaemonUnderTest) -> None:
    inputs = ["{{ x }}", "{{{{ tasks.a.result }}", "{{{ tasks.a.result }}}", "{{ task.a }}"]

    assert filled(daemon, 7, inputs) == [
        "{{ x }}",
        "{{ tasks.a.result }}",
        "{7}",
        "{{ task.a }}",
    ]


def test_a_value_is_not_looked_through_again(daemon: DaemonUnderTest) -> None:
    text = "{{ tasks.a.result }} {{{{ tasks.a.status }}"
    # Escaped, so that the first task returns the text as it is.
    tasks = ended(
        daemon,
        task("a", inputs={"value": ["{{{{ tasks.", "{{ tasks"]}),
        task("b", "a", inputs={"value": "{{ tasks.a.result[0] }}a.result }}"}),
        task("c", "b", inputs={"value": ["{{ tasks.b.result }}", "<{{ tasks.b.result }}>"]}),
    )

    assert tasks["a"]["result"] == ["{{ tasks.", "{{ tasks"]
    assert tasks["b"]["result"] == "{{ tasks.a.result }}"
    assert tasks["c"]["result"] == ["{{ tasks.a.result }}", "<{{ tasks.a.result }}>"]
    assert text not in tasks["c"]["result"]


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("a-b.c:d", "a-b.c:d"),
        ("a.result", "a.result"),
        ("a", "a name {with} }} braces and 'quotes'"),
        ("a", "ünïcode\ttab"),
        ("0", "{{ tasks.0.result }}"),
    ],
)
def test_ids_and_names_are_matched_as_they_are(
    daemon: DaemonUnderTest, task_id: str, name: str
) -> None:
    tasks = ended(
        daemon,
        task(task_id, name=name, inputs={"value": {"x": 1}}),
        task(
            "b",
            name,
            inputs={
                "value": [f"{{{{ tasks.{task_id}.result.x }}}}", f"{{{{tasks.{name}.status}}}}"]
            },
        ),
    )

    assert tasks["b"]["result"] == [1, "completed"]


def test_what_did_not_complete_is_null_and_says_why(daemon: DaemonUnderTest) -> None:
    everything = {
        "result": "{{ tasks.a.result }}",
        "status": "{{ tasks.a.status }}",
        "error": "{{ tasks.a.error.[code, message] }}",
        "text": "<{{ tasks.a.result.x }}>",
    }
    tasks = ended(
        daemon,
        task("a", inputs={"fail": "no luck"}),
        task("b", {"id": "a", "on": "failure"}, inputs={"value": everything}),
        task("c", {"id": "a", "on": "end"}, inputs={"value": everything}),
        task("d", "a"),
        task(
            "e",
            {"id": "d", "on": "end"},
            inputs={"value": ["{{ tasks.d.status }}", "{{ tasks.d.error.cause }}"]},
        ),
    )
    expected = {
        "result": None,
        "status": "failed",
        "error": ["exception", "no luck"],
        "text": "<null>",
    }

    assert tasks["b"]["result"] == expected
    assert tasks["c"]["result"] == expected
    assert tasks["e"]["result"] == ["skipped", "a"]


def test_the_result_that_a_failed_command_keeps_is_not_read(daemon: DaemonUnderTest) -> None:
    tasks = ended(
        daemon,
        {"id": "a", "executor": "command", "inputs": {"script": "echo out; exit 3"}},
        task(
            "b",
            {"id": "a", "on": "failure"},
            inputs={"value": ["{{ tasks.a.result }}", "{{ tasks.a.error.exit_code }}"]},
        ),
    )

    assert tasks["a"]["result"]["stdout"] == "out\n"
    assert tasks["b"]["result"] == [None, 3]


def test_with_join_any_what_has_not_ended_is_null(daemon: DaemonUnderTest) -> None:
    tasks = ended(
        daemon,
        task("quick", inputs={"value": 1}),
        {
            "id": "slow",
            "executor": "command",
            "inputs": {"script": "while [ ! -e go ]; do sleep 0.01; done"},
        },
        task(
            "first",
            "quick",
            "slow",
            join="any",
            inputs={"value": ["{{ tasks.quick.result }}", "{{ tasks.slow.result }}"]},
        ),
        {"id": "go", "executor": "command", "dependencies": ["first"],
         "inputs": {"argv": ["touch", "go"]}},
    )  # fmt: skip

    assert tasks["first"]["result"] == [1, None]


def test_an_expression_that_cannot_be_evaluated_fails_once(daemon: DaemonUnderTest) -> None:
    tasks = ended(
        daemon,
        task("a", inputs={"value": {"secret": "hush"}}),
        task("b", "a", retry=5, inputs={"value": "{{ tasks.a.result | sum(@) }}"}),
    )

    assert tasks["b"]["attempts"] == 1
    assert tasks["b"]["error"] == {
        "code": "unresolved_reference",
        "message": 'inputs: "{{ tasks.a.result | sum(@) }}": sum() takes array-number, not object',
        "cause": None,
    }


def test_a_hostile_expression_holds_up_nobody_for_long(daemon: DaemonUnderTest) -> None:
    doubled = "{{ tasks.a.result" + " | [@,@]" * 40 + " }}"
    tasks = ended(
        daemon,
        task("a", inputs={"value": [1]}),
        task("b", "a", inputs={"value": doubled}),
        task("c", "a", inputs={"value": "{{ tasks.a.result }}"}),
    )

    assert tasks["b"]["error"]["code"] == "unresolved_reference"
    assert tasks["c"]["result"] == [1]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", 'inputs/count: a whole number is wanted here, not "x"'),
        (None, "inputs/count: a whole number is wanted here, not null"),
    ],
)
def test_what_the_executor_does_not_take_fails_once(
    daemon: DaemonUnderTest, value: object, message: str
) -> None:
    tasks = ended(
        daemon,
        task("a", inputs={"value": value}),
        task("b", "a", executor="typed", retry=5, inputs={"count": "{{ tasks.a.result }}"}),
    )

    assert tasks["b"]["attempts"] == 1
    assert tasks["b"]["error"] == {"code": "invalid_inputs", "message": message, "cause": None}


def test_a_value_that_fits_is_taken(daemon: DaemonUnderTest) -> None:
    tasks = ended(
        daemon,
        task("a", inputs={"value": 5}),
        task(
            "b", "a", executor="typed",
            inputs={"count": "{{ tasks.a.result }}", "text": "n={{ tasks.a.result }}"},
        ),
    )  # fmt: skip

    assert tasks["b"]["result"] == {"count": 5, "text": "n=5"}


def test_a_task_s_own_schema_is_kept_to(daemon: DaemonUnderTest) -> None:
    schema = {"properties": {"value": {"maximum": 3}}}
    tasks = ended(
        daemon,
        task("a", inputs={"value": [3, 4]}),
        task(
            "b", "a", schemas={"input_schema": schema}, inputs={"value": "{{ tasks.a.result[0] }}"}
        ),
        task(
            "c", "a", schemas={"input_schema": schema}, inputs={"value": "{{ tasks.a.result[1] }}"}
        ),
    )

    assert tasks["b"]["result"] == 3
    assert tasks["c"]["error"]["code"] == "invalid_inputs"
    assert tasks["c"]["error"]["message"].startswith("inputs/value: ")


@pytest.mark.parametrize(
    ("value", "inputs", "where"),
    [
        (["sh", "-c", "touch hacked"], {"argv": "{{ tasks.a.result }}"}, ""),
        ("-c", {"argv": ["sh", "{{ tasks.a.result }}", "{{ tasks.a.status }}"]}, "argv/2"),
        ("sh", {"argv": ["{{ tasks.a.result }}", "-c", "{{ tasks.a.status }}"]}, "argv/2"),
    ],
)
def test_a_value_does_not_make_code_of_another(
    daemon: DaemonUnderTest, value: object, inputs: dict[str, Any], where: str
) -> None:
    tasks = ended(
        daemon,
        task("a", inputs={"value": value}),
        task("b", "a", executor="command", inputs=inputs),
    )

    assert tasks["b"]["error"]["code"] == "invalid_inputs"
    assert tasks["b"]["error"]["message"].startswith(f"inputs/{where}")


def test_what_looks_at_no_inputs_has_them_checked_too(daemon: DaemonUnderTest) -> None:
    schema = {"properties": {"n": {"type": "integer"}}}
    tasks = ended(
        daemon,
        task("a", inputs={"value": "text"}),
        task("b", "a", executor="noop", inputs={"n": "{{ tasks.a.result | sum(@) }}"}),
        task("c", "a", executor="noop", inputs={"n": "{{ tasks.a.result }}"}),
        task(
            "d", "a", executor="noop", schemas={"input_schema": schema},
            inputs={"n": "{{ tasks.a.result }}"},
        ),
    )  # fmt: skip

    assert tasks["b"]["error"]["code"] == "unresolved_reference"
    assert tasks["c"]["status"] == "completed"
    assert tasks["d"]["error"]["code"] == "invalid_inputs"


def test_inputs_that_grow_too_large_are_refused(daemon: DaemonUnderTest) -> None:
    times = MOST_FILLED_BYTES // 500_000 + 1
    tasks = ended(
        daemon,
        task("a", inputs={"value": "x" * 500_000}),
        task("b", "a", inputs={"value": ["{{ tasks.a.result }}"] * times}),
        task("c", "a", inputs={"value": "{{ tasks.a.result }}" * times}),
        task("d", "a", inputs={"value": ["{{ tasks.a.result | length(@) }}"] * times}),
    )

    for task_id in ("b", "c"):
        assert tasks[task_id]["error"]["code"] == "invalid_inputs"
        assert "larger than 16 MiB" in tasks[task_id]["error"]["message"]
    assert tasks["d"]["result"] == [500_000] * times


def test_what_jmespath_makes_of_numbers_is_json(daemon: DaemonUnderTest) -> None:
    inputs = ["{{ tasks.a.result | to_number(@) }}", "<{{ tasks.a.result | to_number(@) }}>"]

    assert filled(daemon, "nan", inputs) == [None, "<null>"]


def test_the_name_of_a_key_that_is_no_text_is_refused(daemon: DaemonUnderTest) -> None:
    tasks = ended(
        daemon,
        task("a", inputs={"value": 1}),
        task("b", "a", inputs={"value": r'{{ tasks.a.result.{"\ud800": @} }}'}),
    )

    assert tasks["b"]["error"]["code"] == "unresolved_reference"


_SHELL_TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
) | st.sampled_from(
    ["$(touch hacked)", "`id`", "'; rm -rf /; '", "-n", "a\nb", "{{ tasks.a.result }}"]
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_SHELL_TEXTS, min_size=20, max_size=40))
def test_values_reach_a_command_byte_for_byte(daemon: DaemonUnderTest, texts: list[str]) -> None:
    escaped = [text.replace("{{ tasks.", "{{{{ tasks.") for text in texts]
    print_them = {"argv": ["printf", r"%s\0"]}
    print_them["argv"] += [f"{{{{ tasks.a.result[{n}] }}}}" for n in range(len(texts))]
    tasks = ended(
        daemon,
        task("a", inputs={"value": escaped}),
        task("b", "a", executor="command", inputs=print_them),
        task("c", "a", executor="command", inputs={
            "script": 'printf "%s" "$VALUE"', "env": {"VALUE": "{{ tasks.a.result }}"},
            "stdout": "json",
        }),
    )  # fmt: skip

    assert tasks["b"]["result"]["stdout"].split("\0")[:-1] == texts
    assert tasks["c"]["result"] == texts


@pytest.mark.parametrize(
    ("executor", "thread"), [("looking", "event-loop"), ("looking-in-a-thread", "executor")]
)
def test_an_executor_sees_its_direct_dependencies(
    daemon: DaemonUnderTest, executor: str, thread: str
) -> None:
    tasks = ended(
        daemon,
        task("far", inputs={"value": "not direct"}),
        task("one", "far", name="the first", inputs={"value": {"x": 1}}),
        task("two", "far", name="twin", inputs={"fail": "no"}),
        task("three", "far", name="twin", inputs={"value": 3}),
        task(
            "look",
            {"id": "two", "on": "end"}, {"id": "one", "on": "end"}, "one", "three",
            executor=executor,
            inputs={"ask": ["one", "the first", "twin", "far", "nobody"]},
        ),
    )  # fmt: skip

    assert tasks["look"]["result"] == {
        "all": {"one": {"x": 1}, "two": None, "three": 3},
        "asked": {
            "one": {"x": 1},
            "the first": {"x": 1},
            "twin": "not there",
            "far": "not there",
            "nobody": "not there",
        },
        "thread": thread,
    }


def test_a_task_without_dependencies_sees_none(daemon: DaemonUnderTest) -> None:
    assert ended(daemon, task("a", executor="looking"))["a"]["result"]["all"] == {}


def test_a_large_file_reads_results_too(daemon: DaemonUnderTest) -> None:
    # More than is stored in one transaction.
    tasks = [task("t0", inputs={"value": 0})]
    tasks += [
        task(
            f"t{n}", f"t{n - 1}", inputs={"value": [f"{{{{ tasks.t{n - 1}.result[0] || `{n}` }}}}"]}
        )
        for n in range(1, 2_500)
    ]
    found = ended(daemon, *tasks)

    assert found["t2499"]["status"] == "completed"


def test_inputs_are_shown_as_they_are_written(daemon: DaemonUnderTest) -> None:
    dropped = daemon.drop(
        [task("a", inputs={"value": 1}), task("b", "a", inputs={"value": "{{ tasks.a.result }}"})]
    )
    dropped.result()
    with StoreReader(daemon.settings.store.url) as reader:
        tree = reader.find_tree(dropped.tree_id)
        details = reader.task_details(reader.find_task(tree, "b"))

    assert details.inputs == b'{"value": "{{ tasks.a.result }}"}'
