"""
What every executor must do, as tests that an author runs with two lines.

    class TestResize(ExecutorConformance):
        executor = resize

Each test runs the executor in a whole daemon.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from inboxd.plugins.executor_check import executor_problem
from inboxd.plugins.inputs_type import schema_of
from inboxd.plugins.protocol import Isolation
from inboxd.testing.daemon import DaemonUnderTest, wait_until
from inboxd.testing.failures import NotEnded
from inboxd.testing.traces import Traces

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from inboxd.plugins.protocol import Executor

__all__ = ["ExecutorConformance"]

#: What is told to end has this long; an executor on the loop needs a moment, a machine may be busy.
_END_SECONDS = 5.0
#: An executor that ignores its end is given up after this.
_GRACE_SECONDS = 20.0
_SIDE_BY_SIDE = 4
#: What an executor is when its end has come, by its isolation.
_ENDED_BY = {
    Isolation.ASYNC: "cancelled",
    Isolation.THREAD: "told so by context.cancelled",
    Isolation.PROCESS: "killed",
    Isolation.COMMAND: "ended by a signal",
}


class ExecutorConformance:
    """The tests; say `executor`, and more where an executor needs more."""

    #: What is tested; or its name, when `config` or a plugin makes it.
    executor: ClassVar[Executor | str]
    #: The plugin that offers it, for its other hooks; by default the executor alone.
    plugin: ClassVar[object] = None
    #: Inputs with which it completes in some seconds. By default its `example`, or none at all.
    good_inputs: ClassVar[Sequence[Mapping[str, Any]]] = ()
    #: Inputs that are refused before it runs, besides those with an unknown key.
    bad_inputs: ClassVar[Sequence[Mapping[str, Any]]] = ()
    #: Inputs with which an attempt fails.
    failing_inputs: ClassVar[Sequence[Mapping[str, Any]]] = ()
    #: Inputs that keep it busy for a minute, unless it is ended.
    slow_inputs: ClassVar[Mapping[str, Any] | None] = None
    #: The tasks' `params`.
    params: ClassVar[Mapping[str, Any]] = {}
    #: The text of the daemon's `inboxd.toml`.
    config: ClassVar[str] = ""

    def test_it_is_an_executor(self, tmp_path: Path) -> None:
        """Its attributes are what an executor has."""
        with self._daemon(tmp_path) as daemon:
            executor = self._executor(daemon)
            problem = executor_problem(executor)

            _expect(problem is None, str(problem))
            _expect(
                bool(executor.description) and "\n" not in executor.description,
                f"its description is one sentence for people, not {executor.description!r}",
            )

    def test_good_inputs_complete_with_a_result(self, tmp_path: Path) -> None:
        """Good inputs are accepted, and the result is JSON that the result file holds."""
        with self._daemon(tmp_path) as daemon:
            self._run_good(daemon)

    def test_an_unknown_input_is_rejected(self, tmp_path: Path) -> None:
        """A typo in `inputs` is rejected with its place, before anything runs."""
        with self._daemon(tmp_path) as daemon:
            schema = schema_of(self._executor(daemon).inputs_schema)
            if schema is None or schema.get("additionalProperties", True) is not False:
                pytest.skip("its inputs_schema takes any key")
            key = "no_such_input_"
            inputs = {**self._good(daemon)[0], key: 1}
            self._expect_rejected(daemon, inputs, pointer=f"/0/inputs/{key}")

    def test_bad_inputs_are_rejected(self, tmp_path: Path) -> None:
        """What it does not take is rejected before anything runs."""
        if not self.bad_inputs:
            pytest.skip("no bad_inputs are given")
        with self._daemon(tmp_path) as daemon:
            for inputs in self.bad_inputs:
                self._expect_rejected(daemon, inputs)

    def test_it_runs_beside_itself_and_again(self, tmp_path: Path) -> None:
        """Several attempts at one time, and later ones, do not disturb each other."""
        with self._daemon(tmp_path) as daemon:
            inputs = self._good(daemon)[0]
            for _ in range(2):
                tasks = [self._task(daemon, inputs, id=f"t{n}") for n in range(_SIDE_BY_SIDE)]
                for task in daemon.run(tasks)["tasks"]:
                    _expect(task["status"] == "completed", _told(task))

    def test_it_does_not_change_with_the_daemon_s_life(self, tmp_path: Path) -> None:
        """After the daemon was stopped and started, it works as before."""
        with self._daemon(tmp_path) as daemon:
            self._run_good(daemon)
            daemon.stop()
            daemon.start()
            self._run_good(daemon, when="after a restart: ")

    def test_it_fails_in_words(self, tmp_path: Path) -> None:
        """A failure has a message that people can read."""
        if not self.failing_inputs:
            pytest.skip("no failing_inputs are given")
        with self._daemon(tmp_path) as daemon:
            for inputs in self.failing_inputs:
                (task,) = daemon.run([self._task(daemon, inputs)])["tasks"]
                _expect(task["status"] == "failed", _told(task))
                message = str(task["error"]["message"])
                # An exception without a text leaves its class's name.
                _expect(" " in message.strip(), f"its error says nothing: {_told(task)}")

    def test_its_time_limit_ends_it(self, tmp_path: Path) -> None:
        """Past its time limit it ends, and so does all that it started."""
        # With one place an attempt that keeps it holds up the next.
        with self._daemon(tmp_path, places="1") as daemon:
            task = self._slow(daemon, timeout=0.5)
            before = Traces.now()
            (ended,) = daemon.run([task])["tasks"]
            error: dict[str, Any] = ended["error"] or {}

            _expect(ended["status"] == "failed", f"its time limit did not end it: {_told(ended)}")
            _expect(error.get("code") == "timeout", f"its time limit did not end it: {error}")
            if self._executor(daemon).isolation == Isolation.THREAD:
                # The thread is the daemon's, and is idle once the executor returned.
                self._expect_thread_is_back(daemon)
            else:
                _expect_nothing_left(before, kinds=("child process", "open descriptor"))

    def test_a_stop_ends_it(self, tmp_path: Path) -> None:
        """When the daemon stops, it ends at once, and so does all that it started."""
        before = Traces.now()
        with self._daemon(tmp_path) as daemon:
            ended_by = _ENDED_BY[Isolation(self._executor(daemon).isolation)]
            dropped = daemon.drop([self._slow(daemon)])
            tree_id = dropped.tree_id
            wait_until(
                lambda: daemon.statuses(tree_id) == {"task": "in_progress"},
                lambda: f"it starts; {daemon.waiting_for(tree_id)}",
            )
            begun = time.monotonic()
            daemon.stop()
            took = time.monotonic() - begun

            _expect(
                took < _GRACE_SECONDS,
                f"a stop took {took:.1f} s: it does not end when it is {ended_by}",
            )
            _expect(
                daemon.result(dropped.name) is None,
                "it ended by itself: slow_inputs are to keep it busy for a minute",
            )
        _expect_nothing_left(before)

    def test_it_leaves_nothing_behind(self, tmp_path: Path) -> None:
        """Nothing that it began is left, and what the process shares is as it was."""
        first = Traces.now()
        with self._daemon(tmp_path, "warm") as daemon:  # what is loaded once stays
            self._run_good(daemon)
        before = Traces.now()
        with self._daemon(tmp_path, "measured") as daemon:
            self._run_good(daemon)
            # What the first attempt made may be for all; the daemon's stop cancels it.
            with_first = Traces.now()
            self._run_good(daemon)
            _expect_nothing_left(with_first, kinds=("asyncio task",))
        _expect_nothing_left(before)
        _expect_nothing_left(first, kinds=("changed",))

    @contextmanager
    def _daemon(
        self, directory: Path, name: str = "daemon", **run: str
    ) -> Generator[DaemonUnderTest]:
        """Run a daemon that has the executor; *run* are settings of `[run]`."""
        _expect(
            hasattr(self, "executor"), f"say in {type(self).__name__}: executor = what is tested"
        )
        where = directory / name
        where.mkdir()
        plugin = self.executor if self.plugin is None else self.plugin
        plugins = () if isinstance(plugin, str) else (plugin,)
        overrides = {"run.grace": f"{_GRACE_SECONDS:g}s"}
        overrides |= {f"run.{key}": value for key, value in run.items()}
        with DaemonUnderTest(where, *plugins, config=self.config, overrides=overrides) as daemon:
            yield daemon

    def _executor(self, daemon: DaemonUnderTest) -> Executor:
        if not isinstance(self.executor, str):
            return self.executor
        found = daemon.plugins.executors.get(self.executor)
        why = daemon.broken_plugins() or "nothing offers it; give config or plugin, or itself"
        _expect(found is not None, f"there is no executor {self.executor!r}: {why}")
        assert found is not None  # noqa: S101 - for the type checker
        return found

    def _good(self, daemon: DaemonUnderTest) -> Sequence[Mapping[str, Any]]:
        example: Mapping[str, Any] = getattr(self._executor(daemon), "example", None) or {}
        return self.good_inputs or (example,)

    def _task(
        self, daemon: DaemonUnderTest, inputs: Mapping[str, Any], **fields: Any
    ) -> dict[str, Any]:
        task: dict[str, Any] = {
            "id": "task",
            "executor": self._executor(daemon).name,
            "inputs": dict(inputs),
            **fields,
        }
        if self.params:
            task["params"] = dict(self.params)
        return task

    def _slow(self, daemon: DaemonUnderTest, **fields: Any) -> dict[str, Any]:
        if self.slow_inputs is None:
            pytest.skip("no slow_inputs are given")
        return self._task(daemon, self.slow_inputs, **fields)

    def _run_good(self, daemon: DaemonUnderTest, when: str = "") -> None:
        """Run a task with each of the good inputs, and fail unless all complete."""
        dropped = daemon.drop(
            [self._task(daemon, one, id=f"t{n}") for n, one in enumerate(self._good(daemon))]
        )
        receipt = dropped.receipt()
        if not receipt["accepted"] and not self.good_inputs:
            pytest.fail(
                f"say good_inputs = [{{…}}], with which it completes: {receipt['errors'][0]}"
            )
        for task in dropped.result()["tasks"]:
            _expect(task["status"] == "completed", f"{when}{_told(task)}")

    def _expect_rejected(
        self, daemon: DaemonUnderTest, inputs: Mapping[str, Any], pointer: str | None = None
    ) -> None:
        receipt = daemon.drop([self._task(daemon, inputs)]).receipt()
        _expect(not receipt["accepted"], f"these inputs are accepted: {dict(inputs)}")
        errors = receipt["errors"]
        codes = {error["code"] for error in errors}
        _expect(
            codes == {"invalid_inputs"}, f"{dict(inputs)}: rejected for other reasons: {errors}"
        )
        if pointer is not None:
            _expect(
                pointer in [error["pointer"] for error in errors],
                f"no error points to {pointer}: {errors}",
            )

    def _expect_thread_is_back(self, daemon: DaemonUnderTest) -> None:
        """The place that the thread keeps is free again: another attempt can run."""
        try:
            daemon.run([self._task(daemon, self._good(daemon)[0])], limit_seconds=_GRACE_SECONDS)
        except NotEnded as error:
            pytest.fail(f"after its time limit it does not look at context.cancelled: {error}")


def _expect(is_so: bool, otherwise: str) -> None:
    """Fail the test with a sentence; the traceback is of no use to the author of an executor."""
    __tracebackhide__ = True
    if not is_so:
        pytest.fail(otherwise, pytrace=False)


def _expect_nothing_left(before: Traces, kinds: tuple[str, ...] = ("",)) -> None:
    """Fail unless what there is goes back, in some seconds, to what there was."""
    __tracebackhide__ = True
    left: list[str] = []

    def is_nothing_left() -> bool:
        left[:] = [one for one in Traces.now().since(before) if one.startswith(kinds)]
        return not left

    try:
        wait_until(is_nothing_left, "nothing is left", _END_SECONDS)
    except NotEnded:
        _expect(False, "it left behind:\n  " + "\n  ".join(left))


def _told(task: Mapping[str, Any]) -> str:
    """Return how a task ended, for an error."""
    error = task["error"]
    said = "" if error is None else f": {error['code']}: {error['message']}"
    return f"{task['id']} {task['status']}{said}"
