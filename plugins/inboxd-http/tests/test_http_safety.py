"""Where requests go, and where they do not."""

from __future__ import annotations

import base64
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.errors import InboxdError, NoRetry
from inboxd_http.errors import RequestFailed
from inboxd_http.testing import LOCAL_SETTINGS, LocalServer, answer, fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


PLAIN: dict[str, Any] = {"schemes": ["http", "https"]}
#: Public addresses that no test ever connects to: a lookup gives them, and nothing listens.
NOWHERE = "192.0.2.1"


class NameServer:
    """Stands for `socket.getaddrinfo`: one list of addresses for each question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]


def refused(url: str, match: str, **more: Any) -> None:
    with pytest.raises(NoRetry, match=match):
        fetch(url, **more)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::ffff:127.0.0.1]", "[::1]", "%6cocalhost"],
)
def test_loopback_is_not_asked(server: LocalServer, host: str) -> None:
    url = f"http://{host}:{server.port}/"
    with pytest.raises(NoRetry, match=r"is loopback, and so not asked|is no host"):
        fetch(url, settings=PLAIN)

    assert server.received == []


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f.1", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "127.0.0.1.1"],
)
def test_an_address_in_disguise_is_not_asked(server: LocalServer, host: str) -> None:
    for written in (host, f"{host}."):
        refused(f"http://{written}:{server.port}/", "written in an unusual way|loopback")

    assert server.received == []


@pytest.mark.parametrize("host", ["\uff11\uff12\uff17.0.0.1", "ⓛocalhost", "①②⑦.0.0.1"])
def test_letters_that_look_alike_are_what_they_stand_for(server: LocalServer, host: str) -> None:
    refused(f"http://{host}:{server.port}/", "loopback|unusual|no URL", settings=PLAIN)

    assert server.received == []


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("10.0.0.1", "private"),
        ("100.64.0.1", "shared"),
        ("169.254.169.254", "metadata"),
        ("169.254.1.1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 # an address, bound to nothing
        ("240.0.0.1", "reserved"),
        ("::1", "loopback"),
        ("::ffff:10.0.0.1", "private"),
        ("64:ff9b::a00:1", "private"),
        ("2002:a00:1::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("fe80::1", "link-local"),
        ("ff02::1", "multicast"),
    ],
)
def test_a_name_that_leads_to_such_an_address_is_not_asked(address: str, kind: str) -> None:
    names = NameServer([address])
    refused("https://name.example/", f"is .*{kind}.*and so not asked", settings={}, lookup=names)

    assert names.asked == ["name.example"]


def test_only_the_allowed_address_of_a_name_is_asked(server: LocalServer) -> None:
    server.routes["/"] = answer("here")
    names = NameServer(["10.0.0.1", "fd00::1", "127.0.0.1", "169.254.169.254"])
    settings = {**PLAIN, "allow_hosts": ["127.0.0.1"]}
    result = fetch(f"http://name.example:{server.port}/", settings=settings, lookup=names)

    assert (result["text"], names.asked) == ("here", ["name.example"])


def test_a_second_answer_of_a_name_server_is_checked_like_the_first(server: LocalServer) -> None:
    server.routes["/"] = answer(status="302 Found", headers={"Location": "/secret"})
    server.routes["/secret"] = answer("secret")
    names = NameServer(["127.0.0.1"], ["127.0.0.2"])
    settings = {**PLAIN, "allow_hosts": ["127.0.0.1"]}
    refused(
        f"http://name.example:{server.port}/",
        "127.0.0.2 is loopback",
        settings=settings,
        lookup=names,
    )

    assert [request.target for request in server.received] == ["/"]
    assert names.asked == ["name.example", "name.example"]


def test_a_name_is_asked_for_once_a_connection(server: LocalServer) -> None:
    """What is checked is what is connected to: there is no second question in between."""
    server.routes["/"] = answer("here")
    names = NameServer(["127.0.0.1"], ["10.0.0.1"])
    settings = {**PLAIN, "allow_hosts": ["127.0.0.1"]}
    result = fetch(f"http://name.example:{server.port}/", settings=settings, lookup=names)

    assert (result["text"], names.asked) == ("here", ["name.example"])


def test_a_name_without_an_address_may_have_one_later() -> None:
    with pytest.raises(RequestFailed, match=r"GET https://name.example/: .*name.example"):
        fetch("https://name.example/", settings={}, lookup=NameServer([]))


@pytest.mark.parametrize(
    ("settings", "is_allowed"),
    [
        ({"allow_private": True}, True),
        ({"allow_hosts": ["127.0.0.0/8"]}, True),
        ({"allow_hosts": ["Name.example."]}, True),
        ({"allow_hosts": ["*.example"]}, True),
        ({"allow_hosts": ["other.example", "10.0.0.0/8"]}, False),
        ({"allow_private": True, "hosts": ["*.example"]}, True),
        ({"allow_private": True, "hosts": ["*.org"]}, False),
    ],
)
def test_an_operator_opens_what_is_private(
    server: LocalServer, settings: dict[str, Any], *, is_allowed: bool
) -> None:
    server.routes["/"] = answer("here")
    url, names = f"http://name.example:{server.port}/", NameServer(["127.0.0.1"])
    if is_allowed:
        assert fetch(url, settings={**PLAIN, **settings}, lookup=names)["text"] == "here"
    else:
        refused(url, "not asked|are not allowed", settings={**PLAIN, **settings}, lookup=names)
        assert server.received == []


@pytest.mark.parametrize("host", ["name.example.", "NAME.Example", "name.example"])
def test_a_name_is_the_same_in_capitals_and_with_a_dot_at_its_end(
    server: LocalServer, host: str
) -> None:
    server.routes["/"] = answer("here")
    url, names = f"http://{host}:{server.port}/", NameServer(["127.0.0.1"])
    refused(url, "is loopback", settings=PLAIN, lookup=names)
    settings = {**PLAIN, "allow_hosts": ["name.example"]}

    assert fetch(url, settings=settings, lookup=names)["text"] == "here"


def test_a_name_opens_no_metadata() -> None:
    settings = {"allow_private": True, "allow_hosts": ["name.example"]}
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200"):
        names = NameServer([address])
        refused("https://name.example/", "metadata", settings=settings, lookup=names)


def test_http_has_to_be_allowed(server: LocalServer) -> None:
    settings = {"allow_private": True}
    refused(f"{server.url}/", "http is not allowed here", settings=settings)

    assert server.received == []


@pytest.mark.parametrize(
    ("location", "match"),
    [
        ("http://10.0.0.1/", "10.0.0.1 is private"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://[::ffff:a9fe:a9fe]/", "metadata"),
        ("http://2130706433/", "unusual way"),
        ("//10.0.0.1/x", "10.0.0.1 is private"),
        ("file:///etc/passwd", 'no requests by "file"'),
        ("gopher://127.0.0.1/", 'no requests by "gopher"'),
        ("data:text/plain,abc", 'no requests by "data"'),
        ("http://user:word@127.0.0.1/", "with a user in it"),
        ("http://x:99999/", "no URL"),
        ("/loop", "more than 5 redirects"),
    ],
)
def test_a_redirect_is_checked_like_the_first_url(
    server: LocalServer, location: str, match: str
) -> None:
    route = answer(status="302 Found", headers={"Location": location})
    server.routes["/"] = server.routes["/loop"] = route
    refused(f"{server.url}/", match)


def test_a_redirect_from_https_to_http_is_not_followed(
    server: LocalServer, tls_server: LocalServer, ca_file: Path
) -> None:
    tls_server.routes["/"] = answer(
        status="307 Temporary Redirect", headers={"Location": f"{server.url}/"}
    )
    settings = {**LOCAL_SETTINGS, "ca_file": str(ca_file)}
    refused(f"{tls_server.url}/", "from https to http", settings=settings)

    assert (len(tls_server.received), server.received) == (1, [])


def test_redirects_are_followed_as_far_as_the_task_says(server: LocalServer) -> None:
    server.routes["/a"] = answer(status="301 Moved", headers={"Location": "b?x=%26#end"})
    server.routes["/b"] = answer(status="303 See Other", headers={"Location": "/c"})
    server.routes["/c"] = answer("there")
    result = fetch(f"{server.url}/a", method="POST", json={"a": 1}, redirects=2)

    assert (result["text"], result["url"]) == ("there", f"{server.url}/c")
    seen = [(one.method, one.target, one.body) for one in server.received]
    assert seen == [("POST", "/a", b'{"a":1}'), ("GET", "/b?x=%26", b""), ("GET", "/c", b"")]
    assert [one.header("Content-Type") for one in server.received[1:]] == [None, None]
    refused(f"{server.url}/a", "more than 1 redirects", redirects=1)
    refused(f"{server.url}/a", "301 Moved", redirects=0)


def test_a_redirect_that_is_expected_is_the_answer(server: LocalServer) -> None:
    server.routes["/a"] = answer(status="302 Found", headers={"Location": "http://10.0.0.1/"})
    result = fetch(f"{server.url}/a", expect=[302])

    assert (result["status"], result["headers"]["location"]) == (302, "http://10.0.0.1/")


def test_a_307_sends_the_body_again(server: LocalServer) -> None:
    server.routes["/a"] = answer(status="307 Temporary Redirect", headers={"Location": "/b"})
    server.routes["/b"] = answer()
    fetch(f"{server.url}/a", method="POST", text="body")

    assert [(one.method, one.body) for one in server.received] == [("POST", b"body")] * 2


def test_tls_is_checked_by_the_system_s_authorities_and_ours(
    tls_server: LocalServer, ca_file: Path
) -> None:
    tls_server.routes["/"] = answer("safe")
    settings = {"allow_private": True}
    ours = {**settings, "ca_file": str(ca_file)}
    assert fetch(f"{tls_server.url}/", settings=ours)["text"] == "safe"

    with pytest.raises(RequestFailed, match="certificate verify failed"):
        fetch(f"{tls_server.url}/", settings=settings)
    with pytest.raises(RequestFailed, match=r"IP address mismatch|not valid for '127.0.0.1'"):
        fetch(f"https://127.0.0.1:{tls_server.port}/", settings=ours)
    assert len(tls_server.received) == 1


def test_a_ca_file_that_is_not_there_is_named(tls_server: LocalServer) -> None:
    with pytest.raises(RequestFailed, match=r"ca_file /nowhere/ca\.pem cannot be used"):
        fetch(f"{tls_server.url}/", settings={"allow_private": True, "ca_file": "/nowhere/ca.pem"})


def test_a_secret_goes_to_its_origin_only(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_TOKEN", "s3cret-token")
    settings = {**PLAIN, "allow_private": True, "secret_variables": ["HTTP_*"]}
    with LocalServer() as other:
        server.routes["/a"] = answer(status="302 Found", headers={"Location": "/b"})
        server.routes["/b"] = answer(status="302 Found", headers={"Location": f"{other.url}/c"})
        other.routes["/c"] = answer(status="302 Found", headers={"Location": f"{server.url}/d"})
        server.routes["/d"] = answer("end")
        result = fetch(
            f"{server.url}/a",
            settings=settings,
            auth={"header": {"X-Api-Key": {"env": "HTTP_TOKEN"}}},
            headers={"Cookie": "c=1", "X-Kept": "1"},
        )
        seen = {one.target: one for one in [*server.received, *other.received]}

    assert result["text"] == "end"
    assert {target: one.header("X-Api-Key") for target, one in seen.items()} == {
        "/a": "s3cret-token", "/b": "s3cret-token", "/c": None, "/d": None,
    }  # fmt: skip
    assert (seen["/b"].header("Cookie"), seen["/c"].header("Cookie")) == ("c=1", None)
    assert seen["/c"].header("X-Kept") == "1"


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"bearer": {"env": "HTTP_TOKEN"}}, "Bearer s3cret-token"),
        (
            {"basic": {"user": "me", "password": {"env": "HTTP_TOKEN"}}},
            "Basic bWU6czNjcmV0LXRva2Vu",
        ),
    ],
)
def test_a_server_that_echoes_a_secret_does_not_bring_it_into_the_result(
    server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
    auth: dict[str, Any],
    expected: str,
) -> None:
    monkeypatch.setenv("HTTP_TOKEN", "s3cret-token")
    settings = {**PLAIN, "allow_private": True, "secret_variables": ["HTTP_TOKEN"]}
    echo = f'{{"{expected}": ["you sent {expected}"]}}'
    server.routes["/a"] = answer(
        echo, headers={"Content-Type": "application/json", "X-Echo": expected}
    )
    server.routes["/b"] = answer(echo, status="400 Bad Request")
    result = fetch(f"{server.url}/a", settings=settings, auth=auth)
    with pytest.raises(NoRetry) as caught:
        fetch(f"{server.url}/b", settings=settings, auth=auth)

    word = expected.split()[1]
    assert [one.header("Authorization") for one in server.received] == [expected] * 2
    assert word not in repr(result) + str(caught.value)
    assert "s3cret" not in repr(result) + str(caught.value)
    assert "***" in result["headers"]["x-echo"]


@pytest.mark.parametrize("status", ["400 Bad Request", "401 No", "503 Later", "429 Later"])
@pytest.mark.parametrize("padding", [0, 150, 185, 199, 2030, 2047])
@pytest.mark.parametrize("blank", ["x", "\n"])
def test_a_secret_across_the_cut_of_a_message_is_hidden(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, status: str, padding: int, blank: str
) -> None:
    monkeypatch.setenv("HTTP_TOKEN", "s3cret-token-that-is-long")
    settings = {**PLAIN, "allow_private": True, "secret_variables": ["HTTP_TOKEN"]}
    body = blank * padding + "s3cret-token-that-is-long" + "y" * 3000
    server.routes["/a"] = answer(body, status=status)
    with pytest.raises(InboxdError) as caught:
        fetch(f"{server.url}/a", settings=settings, auth={"bearer": {"env": "HTTP_TOKEN"}})

    assert "s3c" not in str(caught.value)
    assert f"{server.url}/a: {status}" in str(caught.value)


@pytest.mark.parametrize("padding", [120, 160, 180])
def test_a_secret_in_the_path_of_a_redirect_is_hidden(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, padding: int
) -> None:
    monkeypatch.setenv("HTTP_TOKEN", "s3cret-token-that-is-long")
    settings = {**PLAIN, "allow_private": True, "secret_variables": ["HTTP_TOKEN"]}
    to = f"/{'x' * padding}/s3cret-token-that-is-long"
    server.routes["/a"] = answer(status="302 Found", headers={"Location": to})
    with pytest.raises(NoRetry, match="404 Not Found") as caught:
        fetch(f"{server.url}/a", settings=settings, auth={"bearer": {"env": "HTTP_TOKEN"}})

    assert "s3c" not in str(caught.value)


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nX-A: " + b"s3cret-token" * 1000 + b"\r\n\r\n",
        b"s3cret-token\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ns3cret\0-token: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ns3cret-token\r\n",
        answer(headers={"Content-Encoding": "x" * 35 + "s3cret-token"}),
    ],
)
def test_a_malformed_answer_is_not_quoted(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setenv("HTTP_TOKEN", "s3cret-token")
    settings = {**PLAIN, "allow_private": True, "secret_variables": ["HTTP_TOKEN"]}
    server.routes["/a"] = sent
    with pytest.raises(RequestFailed) as caught:
        fetch(f"{server.url}/a", settings=settings, auth={"bearer": {"env": "HTTP_TOKEN"}})

    assert "s3c" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "response"),
    [
        (b"\xff\0s3cret/token+1\xff", "auto"),
        (b"s3cret/token+1", "base64"),
        (b'{"a": "s3cret\\/token+1"}', "text"),
        (b"/x?token=s3cret%2Ftoken%2B1 s3cret%2ftoken%2b1 s3cret/token%2B1", "text"),
        (base64.b64encode(b"Bearer s3cret/token+1"), "text"),
        (base64.b64encode(b"xBearer s3cret/token+1"), "text"),
        (base64.urlsafe_b64encode(b"xyBearer s3cret/token+1"), "text"),
    ],
)
def test_an_encoded_secret_is_hidden_in_a_result(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch, body: bytes, response: str
) -> None:
    monkeypatch.setenv("HTTP_TOKEN", "s3cret/token+1")
    settings = {**PLAIN, "allow_private": True, "secret_variables": ["HTTP_TOKEN"]}
    server.routes["/a"] = answer(body)
    result = fetch(
        f"{server.url}/a",
        settings=settings,
        auth={"bearer": {"env": "HTTP_TOKEN"}},
        response=response,
    )

    text = result["text"] if "text" in result else base64.b64decode(result["base64"]).decode("l1")
    assert "***" in text
    assert "token" not in re.sub("token=", "", text)
    assert base64.b64encode(b"s3cret/token+1")[4:12].decode() not in text


@pytest.mark.parametrize(
    "look", [lambda: socket.getaddrinfo("localhost", 1), lambda: NameServer([NOWHERE])("a", 1)]
)
def test_the_name_server_of_these_tests_answers_as_the_real_one(look: Callable[[], Any]) -> None:
    info = look()[0]

    assert [type(part) for part in info[3:]] == [str, tuple]
    assert (len(info), info[4][1]) == (5, 1)
