"""Other users at the control socket: who may look, who may steer, and who is sent away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .control_bed import ControlledDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv") or not shutil.which("curl"),
    reason="only root becomes another user, by setpriv; curl asks",
)

NOBODY = 65_534
GROUP = 54_321


@pytest.fixture
def directory() -> Iterator[Path]:
    # Those of pytest are closed to others.
    path = Path(tempfile.mkdtemp(prefix="inboxd-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def ask(socket: Path, *words: str, gid: int = NOBODY, groups: str | None = None) -> tuple[int, str]:
    """Ask as another user; return curl's exit code, and the status."""
    more = ["--clear-groups"] if groups is None else ["--groups", groups]
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={gid}", *more]
    curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "30"]
    run = subprocess.run(
        [*become, *curl, "--unix-socket", str(socket), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout


def test_another_user_cannot_even_connect(directory: Path) -> None:
    with ControlledDaemon(directory):
        assert ask(directory / "c.sock", "http://x/healthz") == (7, "000")


def test_another_user_who_can_connect_is_refused(directory: Path) -> None:
    with ControlledDaemon(directory):
        for words in (["http://x/healthz"], ["-d", "x" * 100_000, "http://x/v1/pause"]):
            assert ask(directory / "c.sock", *words, gid=os.getegid()) == (0, "403")


@pytest.mark.parametrize(
    ("key", "looking", "steering"),
    [("readers", "200", "403"), ("submitters", "200", "403"), ("operators", "200", "200")],
)
def test_the_members_of_a_group_may_what_the_settings_say(
    directory: Path, key: str, looking: str, steering: str
) -> None:
    with ControlledDaemon(directory, overrides={f"control.{key}": f"@{GROUP}"}):
        socket = directory / "c.sock"

        assert (0, looking) == ask(socket, "http://x/v1/trees", groups=str(GROUP))
        assert (0, steering) == ask(socket, "-X", "POST", "http://x/v1/pause", groups=str(GROUP))
