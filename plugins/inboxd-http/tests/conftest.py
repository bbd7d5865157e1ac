"""What the tests of `http` share: servers on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inboxd.testing.fixtures import make_inboxd_daemon
from inboxd_http.testing import LocalServer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ca_file", "make_inboxd_daemon", "server", "tls_server"]

_TLS = Path(__file__).parent / "tls"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """A plain server."""
    with LocalServer() as one:
        yield one


@pytest.fixture
def tls_server() -> Iterator[LocalServer]:
    """A server with a certificate for localhost, by an authority of its own."""
    with LocalServer(certificate=_TLS / "localhost.pem") as one:
        yield one


@pytest.fixture
def ca_file() -> Path:
    """The authority of `tls_server`."""
    return _TLS / "ca.pem"
