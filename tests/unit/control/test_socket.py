"""Where the control socket lies, and how it is made and goes."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.config.load import load_settings
from inboxd.config.settings import ControlSettings
from inboxd.control.socket import MOST_BYTES, ControlSocket, socket_path
from inboxd.errors import ConfigurationError

if TYPE_CHECKING:
    from inboxd.config.settings import Settings

OWN = ControlSettings()


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


def settings_in(state: Path) -> Settings:
    return load_settings(overrides={"state.path": str(state)}, environ={"HOME": str(state)})


def test_the_socket_has_a_short_name_of_its_own_in_the_runtime_directory(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": "/run/user/7"}
    one = socket_path(settings_in(tmp_path / "one" / ("deep" * 40)), environ)
    other = socket_path(settings_in(tmp_path / "other"), environ)

    assert Path("/run/user/7/inboxd") == one.parent == other.parent
    assert one != other
    assert len(os.fsencode(one)) < MOST_BYTES


def test_a_runtime_directory_that_is_too_long_is_left_for_tmp(tmp_path: Path) -> None:
    path = socket_path(settings_in(tmp_path), {"XDG_RUNTIME_DIR": f"/run/{'long/' * 20}"})

    assert Path(f"/tmp/inboxd-{os.geteuid()}") == path.parent  # noqa: S108


def test_only_user_and_group_may_connect(short: Path) -> None:
    path = short / "new" / "a.sock"
    made = ControlSocket.make(path, OWN)

    facts = path.stat()
    assert (stat.S_IMODE(facts.st_mode), stat.S_ISSOCK(facts.st_mode)) == (0o660, True)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    made.close()


def test_the_first_group_that_is_named_owns_the_socket(short: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to any group")
    path = short / "a.sock"
    made = ControlSocket.make(path, ControlSettings(readers=("7", "@54321")))

    assert path.stat().st_gid == 54_321
    made.close()


def test_closing_removes_the_name_and_may_be_done_twice(short: Path) -> None:
    path = short / "a.sock"
    made = ControlSocket.make(path, OWN)
    made.close()
    made.close()

    assert not path.exists()


def test_closing_leaves_the_socket_of_another_that_took_the_name(short: Path) -> None:
    path = short / "a.sock"
    made = ControlSocket.make(path, OWN)
    path.rename(short / "away")
    other = ControlSocket.make(path, OWN)
    made.close()

    assert path.exists()
    other.close()


def test_a_socket_that_nobody_listens_at_is_replaced(short: Path) -> None:
    path = short / "a.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    made = ControlSocket.make(path, OWN)

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    made.close()


def test_a_socket_that_somebody_listens_at_is_left_to_them(short: Path) -> None:
    path = short / "a.sock"
    first = ControlSocket.make(path, OWN)

    with pytest.raises(ConfigurationError, match="another process listens there"):
        ControlSocket.make(path, OWN)
    assert path.exists()
    first.close()


def test_what_is_no_socket_is_never_removed(short: Path) -> None:
    path = short / "a.sock"
    path.write_text("precious")

    with pytest.raises(ConfigurationError, match="is no socket"):
        ControlSocket.make(path, OWN)
    assert path.read_text() == "precious"


def test_a_path_that_no_socket_can_have_is_an_error_that_says_so(short: Path) -> None:
    with pytest.raises(ConfigurationError, match="longer than 100 bytes"):
        ControlSocket.make(short / ("a" * 100), OWN)


def test_a_directory_in_which_others_could_replace_it_is_refused(short: Path) -> None:
    short.chmod(0o777)

    with pytest.raises(ConfigurationError, match="every user may write there"):
        ControlSocket.make(short / "a.sock", OWN)


def test_a_directory_that_cannot_be_made_is_told(short: Path) -> None:
    (short / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot be made"):
        ControlSocket.make(short / "file" / "a.sock", OWN)


def test_sockets_that_daemons_left_go_when_they_are_old_and_ours(short: Path) -> None:
    names = {"old": "0" * 16, "young": "1" * 16, "other": "not-ours", "live": "2" * 16}
    paths = {what: short / f"{name}.sock" for what, name in names.items()}
    for path in paths.values():
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    paths["live"].unlink()
    live = ControlSocket.make(paths["live"], OWN)
    for what in ("old", "other", "live"):
        os.utime(paths[what], (1, 1))
    ControlSocket.remove_left(short)

    assert {"young", "other", "live"} == {what for what, path in paths.items() if path.exists()}
    live.close()
