"""Recognise the encoding of a text file by its first bytes, and report invalid bytes."""

from __future__ import annotations

import codecs

from thawline.errors import ThawlineError

UTF_8 = "utf-8-sig"
"""The codec of UTF-8, with or without a byte order mark."""

HEAD_BYTES = 4096
"""How many bytes at the start of a file `find_encoding` needs."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its first half
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEAST_ZEROS = 0.6


def find_encoding(head: bytes) -> str:
    """Return the name of the codec that decodes a file.

    UTF-16 and UTF-32 are recognised by their byte order mark. UTF-16 without a mark is recognised
    by the zero bytes of its ASCII characters, and ISO-2022-JP by its escape sequences. Everything
    else is UTF-8, on every system.

    Args:
        head: The first `HEAD_BYTES` bytes of the file, or all of them.
    """
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec
    if b"\x1b$B" in head or b"\x1b$@" in head:  # valid ASCII, but it would be read as nonsense
        return "iso2022_jp"
    even, odd = head[::2], head[1::2]
    if len(odd) >= 2 and 0 not in even and odd.count(0) >= _LEAST_ZEROS * len(odd):
        return "utf-16-le"
    if len(odd) >= 2 and 0 not in odd and even.count(0) >= _LEAST_ZEROS * len(even):
        return "utf-16-be"
    return UTF_8


def decode(content: bytes, where: str, codec: str = UTF_8) -> str:
    """Decode the content of a file and remove a byte order mark.

    Args:
        content: The bytes.
        where: The name of the file, for the error.
        codec: The codec, as `find_encoding` returns it.

    Raises:
        ThawlineError: If the content has another encoding. The error names the first invalid byte
            and its line.
    """
    try:
        return content.decode(codec)
    except UnicodeDecodeError as error:
        start = error.start + len(content) - len(error.object)  # without a byte order mark
        raise _invalid_bytes(content, start, where, codec) from error


def _invalid_bytes(content: bytes, start: int, where: str, codec: str) -> ThawlineError:
    if codec != UTF_8:
        found = f"invalid bytes at position {start}"
        fix = "save the file as UTF-8, or create it again if it is incomplete"
        return ThawlineError(f"{codec.upper()} text in {where}", found, fix)
    line = content.count(b"\n", 0, start) + 1
    found = f"the byte 0x{content[start]:02X} in line {line} (position {start})"
    fix = "save the file as UTF-8; iconv -f WINDOWS-1252 -t UTF-8 converts from Western encodings"
    return ThawlineError(f"UTF-8 text in {where}", found, fix)
