"""Pure: the forms in which a server may send a secret back."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

__all__ = ["shown_forms"]

#: Base64 of a shorter text has too few characters that are its alone.
_SHORTEST_IN_BASE64 = 6
#: What may stand in a path as it is (RFC 3986, 3.3); yarl and browsers leave it.
_PATH = "/:@!$&'()*+,;=~"


def shown_forms(secret: str) -> set[str]:
    """
    Return how a secret may be written: as it is, and as usual encodings have it.

    These are percent-encoding, the escapes of JSON and of HTML, and base64 of a text that it stands
    in, wherever that begins. Hex, compression and encodings in one another are not among them.
    """
    forms = {secret, quote_plus(secret), html.escape(secret), html.escape(secret, quote=False)}
    forms |= {quote(secret, safe=safe) for safe in ("", "/", _PATH)}
    forms |= {_lower_escapes(form) for form in forms if "%" in form}
    forms |= {form.replace("&#x27;", "&#39;").replace("&quot;", "&#34;") for form in forms}
    for only_ascii in (True, False):
        written = json.dumps(secret, ensure_ascii=only_ascii)[1:-1]
        forms |= {written, written.replace("/", "\\/")}
    return forms | _in_base64(secret.encode())


def _lower_escapes(text: str) -> str:
    """Return a percent-encoded text with `%2f` for `%2F`."""
    first, *others = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in others)])


def _in_base64(secret: bytes) -> set[str]:
    """Return what base64 makes of a text inside another, at each of the three places in it."""
    forms: set[str] = set()
    if len(secret) < _SHORTEST_IN_BASE64:
        return forms
    for before in range(3):
        # Six bits a character: those that hold a bit of a neighbour are left out.
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        data = bytes(before) + secret
        forms |= {
            encode(data).decode()[first:last]
            for encode in (base64.b64encode, base64.urlsafe_b64encode)
        }
    return forms
