"""Every executor of this repository is under the conformance suite of `inboxd.testing`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from inboxd.executors.command import Command
from inboxd.executors.noop import Noop
from inboxd.testing import DaemonUnderTest, ExecutorConformance

if TYPE_CHECKING:
    from collections.abc import Iterator

WEB = Path(__file__).with_name("local_web.py")


class TestCommand(ExecutorConformance):
    executor = Command()
    good_inputs = ({"argv": ["echo", "hello"]}, {"script": "echo '[1]'", "stdout": "json"})
    bad_inputs = ({}, {"argv": []}, {"argv": ["a"], "script": "a"}, {"script": 1})
    failing_inputs = ({"script": "exit 3"}, {"argv": ["/no/such/program"]})
    #: A child in the background, and one that leaves the session.
    slow_inputs: ClassVar[Any] = {"script": "sleep 60 & setsid sleep 60 & sleep 60"}


class TestNoop(ExecutorConformance):
    executor = Noop()
    good_inputs = ({}, {"anything": [1]})


class TestHttp(ExecutorConformance):
    executor = "http"
    bad_inputs = ({}, {"url": 1}, {"url": "https://example.org/", "method": "FETCH"})
    config = '[executors.http]\nschemes = ["http"]\nallow_hosts = ["127.0.0.0/8"]\n'

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def web(cls) -> Iterator[None]:
        """A server for the inputs."""
        server = subprocess.Popen([sys.executable, str(WEB)], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        cls.good_inputs = ({"url": f"{url}/good"},)
        cls.failing_inputs = ({"url": f"{url}/gone"},)
        cls.slow_inputs = {"url": f"{url}/slow"}
        yield
        server.terminate()
        server.communicate()


class TestPython(ExecutorConformance):
    executor = "python"
    good_inputs = ({}, {"seconds": 0.01})
    failing_inputs = ({"fails": True},)
    slow_inputs: ClassVar[Any] = {"seconds": 60}
    params: ClassVar[Any] = {"function": "inboxd_sample_functions:work"}
    config = (
        '[executors.python]\nallow = ["inboxd_sample_functions:work"]\n'
        f'path = ["{Path(__file__).with_name("functions")}"]\n'
    )


class TestProgram(ExecutorConformance):
    """An executor that the configuration makes, of a program in another language."""

    executor = "wait"
    good_inputs = ({"seconds": 0},)
    bad_inputs = ({}, {"seconds": -1})
    failing_inputs = ({"seconds": 7},)
    slow_inputs: ClassVar[Any] = {"seconds": 60}
    config = f"""
[executors.wait]
argv = ["/bin/sh", "{Path(__file__).with_name("functions") / "wait.sh"}"]
inputs_schema = {{ type = "object", required = ["seconds"], additionalProperties = false, properties = {{ seconds = {{ type = "integer", minimum = 0 }} }} }}
"""  # noqa: E501 - a table of TOML stands on one line


#: By the names of the executors.
SUITES: dict[str, type[ExecutorConformance]] = {
    "command": TestCommand,
    "http": TestHttp,
    "noop": TestNoop,
    "python": TestPython,
}


def test_every_executor_that_is_installed_is_under_the_suite(tmp_path: Path) -> None:
    with DaemonUnderTest(tmp_path) as daemon:
        plugins = daemon.plugins

    without = set(plugins.executors) - set(SUITES)

    assert plugins.broken == ()
    assert without == set(), "give each a class above"
