"""Pure: why a request failed, in words for people; aiohttp's own are for those who know it."""

from __future__ import annotations

import os
import re
import ssl

import aiohttp

__all__ = ["reason_of"]

#: What aiohttp says of an answer that it cannot read, before it quotes the answer.
_BEFORE_QUOTE = re.compile(r"[^:'\"\n]*")


def reason_of(error: BaseException) -> str:
    """Return why, without anything that a server sent but in a `BodyError`."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return (
                f"certificate verify failed for {_peer(error)}: {_of_tls(error.certificate_error)}"
            )
        case aiohttp.ClientConnectorDNSError():
            return f"no address of {error.host} was found: {_of_system(error.os_error)}"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ssl.SSLError):
            return f"no TLS with {_peer(error)}: {_of_tls(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"no connection to {_peer(error)}: {_of_system(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection and did not answer"
        case aiohttp.ClientPayloadError():
            return "the body of the answer was cut off, or is not what its headers say"
        case aiohttp.ClientResponseError():
            found = _BEFORE_QUOTE.match(error.message)
            problem = found.group().strip() if found else ""
            return f"the answer is no HTTP that can be read: {problem[:100] or 'it is malformed'}"
        case ssl.SSLError():
            return _of_tls(error)
        case OSError():
            return _of_system(error)
        case _:
            return str(error) or type(error).__name__


def _peer(error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError) -> str:
    host = f"[{error.host}]" if ":" in error.host else error.host
    return f"{host}:{error.port}"


def _of_tls(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return _of_system(error)


def _of_system(error: BaseException) -> str:
    """Return what the system says of an error, without its number and the names of Python."""
    if isinstance(error, OSError):
        if error.errno is not None and error.errno > 0 and not isinstance(error, ssl.SSLError):
            return os.strerror(error.errno)
        if error.strerror:
            return error.strerror
    return str(error) or "nothing is known of it"
