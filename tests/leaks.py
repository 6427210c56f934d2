"""Find planted secrets in written data, as plain text and in many encodings."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus


def leaks(texts: Iterable[str], secrets: Mapping[str, str]) -> list[str]:
    """Find secrets in texts; report name, encoding, place and surroundings without the secret.

    Args:
        texts: the written texts, in order of their places.
        secrets: name → value.
    """
    sought = {
        (name, form): encoded
        for name, value in secrets.items()
        for form, encoded in _forms(value).items()
    }
    return sorted(
        {
            f"{name} ({form}) after {text[max(0, at - 60) : at]!r}"
            for text in texts
            for (name, form), encoded in sought.items()
            if (at := text.find(encoded)) >= 0
        }
    )


def _forms(secret: str) -> dict[str, str]:
    raw = secret.encode()
    forms = {
        "plain": secret,
        "JSON": json.dumps(secret)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3],
        "Python": repr(secret)[1:-1],
        "address": quote(secret, safe=""),
        "form": quote_plus(secret),
        "hexadecimal": raw.hex(),
        "HEXADECIMAL": raw.hex().upper(),
    }
    return forms | dict(_base64(raw))


def _base64(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield the characters that encode these bytes, independent of the bytes around them."""
    for before in range(3):
        # The two surroundings share no bit, so the characters in common encode the secret.
        dark = base64.b64encode(b"\x00" * before + raw + b"\x00" * 3).decode()
        light = base64.b64encode(b"\xff" * before + raw + b"\xff" * 3).decode()
        same = [one if one == other else " " for one, other in zip(dark, light, strict=True)]
        own = max("".join(same).split(), key=len)
        yield f"base64 +{before}", own
        yield f"base64url +{before}", own.translate(str.maketrans("+/", "-_"))
