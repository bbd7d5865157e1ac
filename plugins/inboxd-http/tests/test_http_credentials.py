"""Secrets are read where they may be, and shown nowhere."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING, Any

import pytest

from inboxd.errors import NoRetry
from inboxd_http.credentials import Credentials, read_credentials
from inboxd_http.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret-Ü"  # noqa: S105 # of nobody


def bearer(
    secret: dict[str, str],
    *,
    options: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    results: dict[str, Any] | None = None,
) -> str:
    credentials = read_credentials(
        {"bearer": secret},
        read_settings(options or {}),
        environ=environ or {},
        results=results or {},
    )
    ((name, value),) = credentials.headers
    assert name == "Authorization"

    return value


def test_a_variable_that_is_allowed_is_read() -> None:
    options = {"secret_variables": ["OTHER", "HTTP_*"]}
    value = bearer({"env": "HTTP_TOKEN"}, options=options, environ={"HTTP_TOKEN": SECRET})

    assert value == f"Bearer {SECRET}"


def test_a_variable_that_is_not_allowed_is_not_read() -> None:
    with pytest.raises(NoRetry, match=r"variable PATH may not be read.*secret_variables"):
        bearer({"env": "PATH"}, environ={"PATH": SECRET})


def test_a_variable_that_is_not_there_is_named() -> None:
    with pytest.raises(NoRetry, match="the daemon has no variable HTTP_TOKEN"):
        bearer({"env": "HTTP_TOKEN"}, options={"secret_variables": ["HTTP_TOKEN"]})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "token").chmod(0o600)
    return tmp_path


def test_a_file_of_the_directory_is_read_without_its_newline(directory: Path) -> None:
    value = bearer({"file": "token"}, options={"secrets_directory": str(directory)})

    assert value == f"Bearer {SECRET}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(directory: Path, mode: int) -> None:
    (directory / "token").chmod(mode)
    with pytest.raises(NoRetry, match="not the daemon's alone: chmod 600"):
        bearer({"file": "token"}, options={"secrets_directory": str(directory)})


def test_a_credential_of_the_unit_is_read_as_systemd_gives_it(directory: Path) -> None:
    (directory / "token").chmod(0o440)
    value = bearer({"file": "token"}, environ={"CREDENTIALS_DIRECTORY": str(directory)})

    assert value == f"Bearer {SECRET}"


def test_the_directory_of_the_settings_comes_first(directory: Path, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "token").write_text("other")
    (given / "more").write_text("more")
    options = {"secrets_directory": str(directory)}
    environ = {"CREDENTIALS_DIRECTORY": str(given)}

    assert bearer({"file": "token"}, options=options, environ=environ) == f"Bearer {SECRET}"
    assert bearer({"file": "more"}, options=options, environ=environ) == "Bearer more"


def test_without_a_directory_there_are_no_files() -> None:
    with pytest.raises(NoRetry, match=r"no directory of secrets.*secrets_directory"):
        bearer({"file": "token"})


def test_what_is_no_file_is_not_read(directory: Path) -> None:
    (directory / "link").symlink_to(directory / "token")
    (directory / "directory").mkdir()
    os.mkfifo(directory / "fifo", 0o600)
    (directory / "binary").write_bytes(b"\xff\xfe")
    (directory / "two-lines").write_text("one\ntwo\n")
    (directory / "empty").write_text("\n")
    (directory / "large").write_text("x" * 70_000)
    messages: dict[str, str] = {}
    for name in ("link", "directory", "fifo", "binary", "two-lines", "empty", "large", "none"):
        if (directory / name).is_file() and name != "link":
            (directory / name).chmod(0o600)
        with pytest.raises(NoRetry) as caught:
            bearer({"file": name}, options={"secrets_directory": str(directory)})
        messages[name] = str(caught.value).partition(f"secret file {name} ")[2]

    assert messages == {
        "link": "cannot be read: Too many levels of symbolic links",
        "directory": "is no regular file",
        "fifo": "is no regular file",
        "binary": "is no UTF-8 text",
        "two-lines": "holds more than one line, or a control character",
        "empty": "is empty",
        "large": "is larger than 65,536 bytes",
        "none": "",
    }


@pytest.mark.parametrize(
    ("pointer", "result"),
    [
        ("", SECRET),
        ("/json/token", {"json": {"token": SECRET}}),
        ("/a~1b/1/~0", {"a/b": [0, {"~": SECRET}]}),
    ],
)
def test_a_secret_may_come_from_a_task_before(pointer: str, result: Any) -> None:
    value = bearer({"result_of": "login", "pointer": pointer}, results={"login": result})

    assert value == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ({"result_of": "other"}, 'does not depend on "other"'),
        ({"result_of": "login", "pointer": "/json/tok"}, "there is nothing"),
        ({"result_of": "login", "pointer": "/list/7"}, "there is nothing"),
        ({"result_of": "login", "pointer": "/list/x"}, "there is nothing"),
        ({"result_of": "login", "pointer": "/list"}, "is no text"),
        ({"result_of": "failed", "pointer": "/a"}, "there is nothing"),
    ],
)
def test_what_is_not_in_a_result_is_said(secret: dict[str, str], message: str) -> None:
    with pytest.raises(NoRetry, match=message):
        bearer(secret, results={"login": {"json": {"token": SECRET}, "list": []}, "failed": None})


def test_what_is_secret_is_hidden_wherever_it_stands() -> None:
    credentials = Credentials(secrets=("abcdef", "abc"))
    value = {"xabcdefx": ["abc", {"n": 1}], "b": None, "c": "abcabcdef"}

    assert credentials.hidden_in(value) == {
        "x***x": ["***", {"n": 1}], "b": None, "c": "******",
    }  # fmt: skip


def test_a_short_secret_hides_nothing_else() -> None:
    auth = {"bearer": {"env": "A"}}
    settings = read_settings({"secret_variables": ["A"]})
    credentials = read_credentials(auth, settings, environ={"A": "e"}, results={})

    assert credentials.hidden_in({"message": "here"}) == {"message": "here"}


def test_what_is_written_for_a_page_is_hidden() -> None:
    credentials = Credentials(secrets=("a&b\"c'd<",))
    pages = [html.escape("a&b\"c'd<"), "a&amp;b&#34;c&#39;d&lt;", "a&amp;b\"c'd&lt;"]

    assert [credentials.hidden(page) for page in pages] == ["***"] * 3


def test_a_variable_that_is_no_text_is_refused() -> None:
    with pytest.raises(NoRetry, match="variable A is no UTF-8 text"):
        bearer({"env": "A"}, environ={"A": "caf\udce9"}, options={"secret_variables": ["A"]})
