"""Paths and parameters of the control socket."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.control.answers import Refused
from inboxd.control.asked import asked_of, path_segments
from inboxd.control.routes import ROUTES, Action, route_of


@pytest.mark.parametrize(
    ("method", "path", "action", "tree", "task"),
    [
        ("GET", b"/v1/trees/@", Action.TREE, "@", ""),
        ("GET", b"/v1/trees/a%2Fb/tasks/x%20y", Action.TASK, "a/b", "x y"),
        ("GET", b"/v1/trees/tasks/tasks/logs/logs", Action.LOG, "tasks", "logs"),
        ("POST", b"/v1/trees/a/tasks/b.c:d-e/release", Action.RELEASE, "a", "b.c:d-e"),
        ("POST", b"/v1/pause", Action.PAUSE, "", ""),
        ("GET", b"/v1/trees/%ff", Action.TREE, "\udcff", ""),
        ("GET", b"/v1/trees/100%", Action.TREE, "100%", ""),
    ],
)
def test_segments_are_decoded_each_on_its_own(
    method: str, path: bytes, action: Action, tree: str, task: str
) -> None:
    route, found_tree, found_task = route_of(method, path_segments(path))

    assert (action, tree, task) == (route.action, found_tree, found_task)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", b"/", 404),
        ("GET", b"*", 404),
        ("GET", b"/v1/trees/", 404),
        ("GET", b"/v1/trees//tasks", 404),
        ("GET", b"/v1/trees/@/", 404),
        ("GET", b"/V1/trees", 404),
        ("POST", b"/v1/trees", 405),
        ("HEAD", b"/healthz", 405),
        ("GET", b"/v1/trees/@/cancel", 405),
    ],
)
def test_other_paths_and_methods_are_refused(method: str, path: bytes, status: int) -> None:
    with pytest.raises(Refused) as raised:
        route_of(method, path_segments(path))

    assert status == raised.value.status


def test_routes_that_look_need_less_than_those_that_steer() -> None:
    names = {(route.method, route.right.name) for route in ROUTES}

    assert {("GET", "READ"), ("POST", "OPERATE")} == names


@pytest.mark.parametrize("query", [b"limits=1", b"limit=1&limit=2", b"&".join([b"a=1"] * 99)])
def test_parameters_that_a_route_has_not_are_refused(query: bytes) -> None:
    with pytest.raises(Refused) as raised:
        asked_of(query, ("limit",))

    assert raised.value.status == 400


@pytest.mark.parametrize("text", ["-1", "", "1e3", "\u0663", "0", "1001", "9" * 4000])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    asked = asked_of(f"limit={text}".encode(), ("limit",))

    with pytest.raises(Refused):
        asked.number("limit", 5, least=1, most=1_000)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_nothing_but_a_refusal_comes_of_any_query_and_body(query: bytes, body: bytes) -> None:
    # Any other error fails the test.
    with contextlib.suppress(Refused):
        asked = asked_of(query, ("limit", "status"), body=body)
        asked.fields(("priority",))
        asked.choice("status", ("failed",))
