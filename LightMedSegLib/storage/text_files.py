"""Text files with a byte-order mark, in UTF-16, or in an older encoding."""

from __future__ import annotations

import codecs
import json
from pathlib import Path


def read_text(path: Path, older: bool = False) -> str:
    """Return the text of a file, decoded by :func:`decode_text`. Raises OSError, or ValueError with a short reason."""
    return decode_text(path.read_bytes(), older)


def decode_text(content: bytes, older: bool = False) -> str:
    """Return text from UTF-8, UTF-16 or UTF-32, without the byte-order mark.

    older: decode anything else as Windows' western code page, which spreadsheets write.

    Raises ValueError with a short reason.
    """
    try:
        return content.decode(_encoding(content))
    except UnicodeDecodeError:
        if not older:
            raise ValueError("it is not UTF-8 text") from None
    try:
        return content.decode("cp1252")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _encoding(content: bytes) -> str:
    # Written for JSON, it looks at the marks and zero bytes of any text that begins with two ASCII characters.
    return json.detect_encoding(content) if b"\0" in content[:4] or _has_mark(content) else "utf-8"


def _has_mark(content: bytes) -> bool:
    return content.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
