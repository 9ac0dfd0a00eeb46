"""Text and bytes packed for a script of the page to unpack."""

from __future__ import annotations

import base64
import zlib

from markupsafe import Markup


def pack(text: str) -> Markup:
    """Return text for a script of the page to unpack: a third of its size.

    Args:
        text: any text.
    """
    return pack_bytes(text.encode("utf-8", "surrogatepass"))


def pack_bytes(content: bytes) -> Markup:
    """Return bytes for a script of the page to unpack.

    Args:
        content: any bytes.
    """
    squeezed = zlib.compress(content, level=9, wbits=-15)
    return Markup(base64.b64encode(squeezed).decode("ascii"))  # nosec B704  # letters and digits
