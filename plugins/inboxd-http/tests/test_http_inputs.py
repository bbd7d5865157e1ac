"""What a task may ask for, and what an operator may set."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inboxd.plugins.executor_check import executor_problem
from inboxd_http import Http
from inboxd_http.addresses import AddressPolicy, parse_network
from inboxd_http.inputs import input_problems, read_request
from inboxd_http.schema import INPUTS_SCHEMA
from inboxd_http.settings import HttpSettings, read_settings

URL = "https://example.org/a"
SETTINGS = HttpSettings()


def found(inputs: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str, str | None]]:
    problems = input_problems({"url": URL, **inputs}, SETTINGS)

    return [(problem.path, problem.message, problem.hint) for problem in problems]


def test_it_is_an_executor_whose_schema_describes_every_input() -> None:
    assert executor_problem(Http()) is None
    assert [
        name for name, one in INPUTS_SCHEMA["properties"].items() if not one.get("description")
    ] == []


GOOD: list[dict[str, Any]] = [
    {},
    {"method": "POST", "json": None},
    {"auth": {"bearer": {"env": "A_B"}}},
    {"auth": {"basic": {"user": "me", "password": {"file": "pass.word-1"}}}},
    {"auth": {"header": {"X-Key": {"result_of": "a task", "pointer": "/json/token"}}}},
    {"timeout": "2m", "max_bytes": 1000, "redirects": 0, "expect": ["2xx", 404]},
    {"timeout": 0.5, "retry_statuses": [], "response": "base64"},
    {"query": {"a": ["b", 1, True], "c": 2.5}, "headers": {"X": 1}},
    {"save_to": "a/b.c", "max_bytes": 10**8},
    {"url": "https://münchen.example/ä?ö=ü#ß"},
    {"url": "https://[2606:4700::1111]:8443/"},
]


@pytest.mark.parametrize("inputs", GOOD)
def test_good_inputs_are_taken(inputs: dict[str, Any]) -> None:
    jsonschema_rs.validator_for(INPUTS_SCHEMA).validate({"url": URL, **inputs})

    assert found(inputs) == []


@pytest.mark.parametrize(
    "inputs",
    [
        {"url": ""},
        {"url": 1},
        {"method": "get"},
        {"method": "TRACE"},
        {"method": "CONNECT"},
        {"retries": 3},
        {"query": "a=b"},
        {"query": {"a": {"b": 1}}},
        {"headers": {"A": ["b"]}},
        {"timeout": 0},
        {"timeout": "soon"},
        {"expect": ["ok"]},
        {"expect": []},
        {"expect": [99]},
        {"redirects": -1},
        {"auth": {}},
        {"auth": {"bearer": {"env": "A"}, "header": {"X": {"env": "A"}}}},
        {"auth": {"bearer": {"file": "../etc/shadow"}}},
        {"auth": {"bearer": {"file": ".hidden"}}},
        {"auth": {"bearer": {"env": "A=B"}}},
        {"auth": {"basic": {"user": "me"}}},
    ],
)
def test_the_schema_refuses_what_has_another_form(inputs: dict[str, Any]) -> None:
    assert not jsonschema_rs.validator_for(INPUTS_SCHEMA).is_valid({"url": URL, **inputs})


@pytest.mark.parametrize(
    ("inputs", "path", "message"),
    [
        ({"url": "http://example.org/"}, ("url",), "http is not allowed here"),
        ({"url": "ftp://example.org/"}, ("url",), 'no requests by "ftp"'),
        ({"url": "example.org"}, ("url",), 'no requests by ""'),
        ({"url": "https:///a"}, ("url",), "is no host"),
        ({"url": "https://xn--/a"}, ("url",), '"xn--" is no host'),
        ({"url": "https://a..b/"}, ("url",), '"a..b" is no host'),
        ({"url": "https://example.org:99999/"}, ("url",), "no URL"),
        ({"url": "https://[::1"}, ("url",), "no URL"),
        ({"url": "https://example.org/a b"}, ("url",), "no blanks"),
        ({"url": "https://example.org/\r\nX: y"}, ("url",), "no blanks"),
        ({"url": "https://example.org\\@10.0.0.1/"}, ("url",), "no blanks"),
        ({"url": "https://me:word@example.org/"}, ("url",), "a secret does not stand"),
        ({"url": "https://me@example.org/"}, ("url",), "a secret does not stand"),
        ({"url": "https://0x7f.1/"}, ("url",), "unusual way"),
        ({"method": "POST", "json": 1, "text": "a"}, ("text",), "exclude each other"),
        ({"json": 1}, ("json",), "no method"),
        ({"headers": {"Authorization": "Bearer x"}}, ("headers", "Authorization"), "a secret"),
        ({"headers": {"proxy-authorization": "x"}}, ("headers", "proxy-authorization"), "a secret"),
        ({"headers": {"Host": "x"}}, ("headers", "Host"), "client's own"),
        ({"headers": {"content-length": 1}}, ("headers", "content-length"), "client's own"),
        ({"headers": {"A B": "x"}}, ("headers", "A B"), "no name of a header"),
        ({"headers": {"A\r\nB": "x"}}, ("headers", "A\r\nB"), "no name of a header"),
        ({"headers": {"": "x"}}, ("headers", ""), "no name of a header"),
        ({"headers": {"A": "x\r\nB: y"}}, ("headers", "A"), "one line"),
        ({"headers": {"A": "x\0"}}, ("headers", "A"), "one line"),
        ({"headers": {"A": "x", "a": "y"}}, ("headers", "a"), "twice"),
        ({"auth": {"bearer": "abc"}}, ("auth", "bearer"), "a secret does not stand"),
        ({"auth": {"bearer": {}}}, ("auth", "bearer"), "one of env, file and result_of"),
        (
            {"auth": {"bearer": {"env": "A", "file": "b"}}},
            ("auth", "bearer"),
            "one of env, file and result_of",
        ),
        (
            {"auth": {"bearer": {"env": "A", "pointer": "/a"}}},
            ("auth", "bearer", "pointer"),
            "belongs to result_of",
        ),
        (
            {"auth": {"basic": {"user": "a:b", "password": {"env": "A"}}}},
            ("auth", "basic", "user"),
            "no colon",
        ),
        (
            {"auth": {"header": {"Connection": {"env": "A"}}}},
            ("auth", "header", "Connection"),
            "client's own",
        ),
        ({"max_bytes": 2**30}, ("max_bytes",), "max_bytes in [executors.http] allows 1,048,576"),
        ({"save_to": "/etc/passwd"}, ("save_to",), "no file below"),
        ({"save_to": "../a"}, ("save_to",), "no file below"),
        ({"save_to": "a/../../b"}, ("save_to",), "no file below"),
        ({"save_to": "a/"}, ("save_to",), "no file below"),
        ({"save_to": "."}, ("save_to",), "no file below"),
        ({"save_to": "a\0b"}, ("save_to",), "no such name"),
        ({"save_to": "a" * 300}, ("save_to",), "no such name"),
        ({"save_to": "a", "response": "json"}, ("response",), "not in the result"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_with_its_place(
    inputs: dict[str, Any], path: tuple[str | int, ...], message: str
) -> None:
    problems = found(inputs)

    assert [(one[0], message in one[1]) for one in problems] == [(path, True)]


@given(st.text(max_size=80))
def test_any_url_is_taken_or_refused_but_raises_nothing(text: str) -> None:
    for url in (text, f"https://{text}/", f"https://example.org/{text}"):
        input_problems({"url": url}, SETTINGS)


def test_what_is_not_said_is_the_operator_s() -> None:
    settings = read_settings({"timeout": "7s", "max_bytes": 5, "max_saved_bytes": "1 MiB"})
    plain = read_request({"url": URL}, settings)
    saved = read_request({"url": URL, "save_to": "a", "max_bytes": 10**9}, settings)

    assert (plain.timeout_seconds, plain.max_bytes, saved.max_bytes) == (7, 5, 2**20)


def test_the_defaults_are_what_an_empty_table_gives() -> None:
    assert read_settings({}) == HttpSettings()


def test_settings_are_read() -> None:
    settings = read_settings(
        {
            "schemes": ["http", "https"],
            "allow_private": False,
            "allow_hosts": ["*.Intern.example.", "10.0.0.0/8", "::1", "bücher.example"],
            "secret_variables": ["A_*"],
            "connections": 3,
            "ca_file": "/etc/ca.pem",
            "user_agent": "me/1",
        }
    )

    assert settings.allowed_names == ("*.intern.example", "xn--bcher-kva.example")
    networks = tuple(parse_network(text) for text in ("10.0.0.0/8", "::1"))
    assert settings.addresses == AddressPolicy(networks=networks)  # type: ignore[arg-type] # None fails the test
    assert (settings.schemes, settings.connections) == (("http", "https"), 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"allow_privat": True}, 'no setting "allow_privat"; did you mean "allow_private"?'),
        ({"xyz": 1}, 'no setting "xyz"; there are schemes, hosts, allow_private'),
        ({"addresses": 1}, 'no setting "addresses"'),
        ({"allow_private": "yes"}, "allow_private: must be true or false"),
        ({"schemes": ["ftp"]}, "schemes: must be"),
        ({"schemes": []}, "schemes: must be"),
        ({"hosts": "example.org"}, "hosts: must be a list"),
        ({"allow_hosts": [""]}, "allow_hosts: must be a list of texts, none of them empty"),
        ({"allow_hosts": ["https://example.org"]}, "allow_hosts: must hold names and networks"),
        ({"allow_hosts": ["10.0.0.0/33"]}, "allow_hosts: must hold names and networks"),
        ({"max_bytes": "lots"}, "max_bytes: "),
        ({"max_bytes": True}, "max_bytes: "),
        ({"timeout": 0}, "timeout: must be more than 0"),
        ({"timeout": "soon"}, "timeout: a duration is"),
        ({"connections": 0}, "connections: must be a whole number"),
        ({"ca_file": "ca.pem"}, "ca_file: must be an absolute path"),
        ({"user_agent": "a\r\nb"}, "user_agent: must be one line"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Http().configure(options)


def test_every_setting_has_a_reader() -> None:
    made = {"addresses", "allowed_names"}
    for one in fields(HttpSettings):
        if one.name not in made:
            with pytest.raises(ValueError, match=one.name):
                read_settings({one.name: object()})
