"""Change the content of files at random: their bytes, their lines, their cells or their values.

Every function takes a `random.Random`, so that a seed determines the result.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]
"""Returns a changed copy of the content of a file."""

HUGE = 20_000
"""The length of a long string, in characters."""


class Literal(str):
    """A text that `dump_json` writes as it is, for example a number that Python cannot hold."""

    __slots__ = ()


class Repeated(list):  # type: ignore[type-arg]
    """The keys and values of an object in which a key may occur twice."""


NUMBERS: tuple[Any, ...] = (
    0,
    -1,
    1,
    2,
    3,
    -0.0,
    0.5,
    1e-320,
    1e30,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    *map(Literal, ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1.0", "1e5", "9" * 5_000)),
)
STRINGS = (
    "",
    " ",
    "0",
    "1.0",
    "nan",
    "null",
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "\x85",
    "\u2028",
    "\u202e",
    "\ufeff",
    "\ud800",
    "a\udfffb",
    "\U0010ffff",
    "é",
    "e\u0301",
    "\t",
    "\r\n",
    "'",
    '"',
    "..",
    "../..",
    "/dev/zero",
    "/etc/passwd",
    "~nobody-there/x",
    "(a+)+$",
    "x" * HUGE,
    "9" * 5_000,
    "-" * 300,
)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [{}],
    {"": None},
    Literal("[" * 70 + "]" * 70),
    Literal("[" * 600 + "]" * 600),
    Literal("[" * 5_000 + "]" * 5_000),
    Literal('{"a":' * 600 + "1" + "}" * 600),
)


def mutate_bytes(content: bytes, random: Random) -> bytes:
    """Change one or a few places: flip, set, insert, delete, duplicate, move or cut bytes."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        start = _place(len(changed), random)
        length = random.choice((1, 1, 2, 4, 8, 64, 1_000))
        chunk = changed[start : start + length]
        match random.randrange(8):
            case 0 if chunk:
                changed[start] ^= 1 << random.randrange(8)
            case 1 if chunk:
                changed[start] = random.choice((0, 0xFF, 0x7F, 0x80, 10, 13, 34, 44, 92))
            case 2:
                changed[start:start] = random.randbytes(length)
            case 3:
                del changed[start : start + length]
            case 4:
                changed[start:start] = chunk * random.choice((1, 2, 50))
            case 5:
                place = _place(len(changed), random)
                changed[place : place + len(chunk)] = chunk
            case 6:
                del changed[start:]
            case _:
                changed[start : start + length] = bytes(len(chunk))
    return bytes(changed)


def _place(size: int, random: Random) -> int:
    """Return a position, often near the start or the end, where headers are."""
    near = random.choice((8, 64, 512, size + 1, size + 1))
    offset = random.randrange(min(near, size + 1))
    return offset if random.random() < 0.6 else size - offset


# -- JSON -----------------------------------------------------------------------------------------


def mutate_json(content: bytes, random: Random) -> bytes:
    """Change values and keys of a JSON file, or of one or more lines of a JSON Lines file."""
    try:
        value = json.loads(content)
    except ValueError:
        lines = content.split(b"\n")
        number = random.randrange(max(1, len(lines) - 1))
        lines[number] = mutate_json(lines[number] or b"{}", random)
        return b"\n".join(lines)
    return dump_json(mutate_value(value, random)).encode("utf-8", "surrogatepass")


def mutate_value(value: Any, random: Random) -> Any:
    """Return a JSON value with one to three changes at random places."""
    holder = [value]
    for _ in range(random.choice((1, 1, 2, 3))):
        container, key = random.choice(_places(holder))
        _change(holder, container, key, random)
    return holder[0]


def _places(holder: list[Any]) -> list[tuple[Any, Any]]:
    """Return each container and key of nested values."""
    found: list[tuple[Any, Any]] = []
    waiting = [holder]
    while waiting:
        container = waiting.pop()
        keys = container.keys() if isinstance(container, dict) else range(len(container))
        if isinstance(container, Repeated):
            continue
        # Of long lists and tables, such as a vocabulary, only some entries are changed.
        for key in list(keys)[:200]:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                waiting.append(container[key])
    return found


def _change(holder: list[Any], container: Any, key: Any, random: Random) -> None:
    old = container[key]
    match random.randrange(10):
        case 0:
            container[key] = _similar(old, random)
        case 1:
            container[key] = _copy(random.choice((*NUMBERS, *STRINGS, *OTHERS)))
        case 2 if container is not holder:
            del container[key]
        case 3 if isinstance(container, dict):
            container[random.choice((*STRINGS[:20], f"{key} ", str(key).upper()))] = old
        case 4 if isinstance(container, dict):
            del container[key]
            container[random.choice((f"_{key}", str(key)[:-1], "more", "\x1b[31m"))] = old
        case 5 if isinstance(old, dict) and old:
            twice = random.choice(list(old))
            other = _copy(random.choice((*NUMBERS, *STRINGS, *OTHERS)))
            container[key] = Repeated([*old.items(), (twice, other)])
        case 6:
            other, place = random.choice(_places(holder))
            container[key] = _copy(other[place])
        case 7 if isinstance(old, list):
            container[key] = random.choice((old * 2, old[:-1], old[::-1], old * 1_000, [old]))
        case 8:
            container[key] = random.choice(([old], {"value": old}, [old, old], str(old)[:100]))
        case _:
            container[key] = _similar(old, random)


def _similar(value: Any, random: Random) -> Any:
    """Return another value, usually of the same type."""
    if isinstance(value, bool):
        return random.choice((not value, int(value), str(value)))
    if isinstance(value, int | float):
        value = value if abs(value) < 2**62 else 0
        near = (value + 1, value - 1, -value, value * 2, value * 1_000, float(value), str(value))
        return random.choice((*NUMBERS, *near))
    if isinstance(value, str):
        cut = value[: random.randrange(len(value) + 1)]
        return random.choice((*STRINGS, cut, value + value, f"{value}\n", value.swapcase()))
    return _copy(random.choice(OTHERS))


def _copy(value: Any) -> Any:
    """Return a copy, so that a value never contains itself."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if type(value) is list:
        return [_copy(inner) for inner in value]
    return value


def dump_json(value: Any) -> str:
    """Return a value as JSON, with `Literal` and `Repeated` written as they are."""
    if isinstance(value, Literal):
        return str.__str__(value)
    if isinstance(value, Repeated):
        return "{" + ", ".join(f"{json.dumps(k)}: {dump_json(v)}" for k, v in value) + "}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {dump_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump_json, value)) + "]"
    return json.dumps(value) if not isinstance(value, int) or abs(value) < 10**4_000 else "9"


# -- lines, cells and TOML ------------------------------------------------------------------------


def mutate_lines(content: bytes, random: Random) -> bytes:
    """Drop, repeat, swap, join or split lines, or change the end of lines or the encoding."""
    lines = content.splitlines(keepends=True) or [b""]
    for _ in range(random.choice((1, 1, 2, 4))):
        first, second = (random.randrange(len(lines)) for _ in range(2))
        match random.randrange(8):
            case 0 if len(lines) > 1:
                del lines[first]
            case 1:
                lines.insert(first, lines[second])
            case 2:
                lines[first], lines[second] = lines[second], lines[first]
            case 3:
                lines[first] = lines[first].rstrip(b"\r\n")
            case 4:
                lines.insert(first, random.choice((b"\n", b"\r", b"\r\n", b" \n", b"\x00\n")))
            case 5:
                lines[first] = lines[first] * random.choice((2, 100))
            case 6:
                lines = [line.replace(b"\n", random.choice((b"\r", b"\r\n"))) for line in lines]
            case _:
                lines[first] = lines[first].replace(b" ", b"  ")
    joined = b"".join(lines)
    if random.random() < 0.2:
        codec = random.choice(("utf-16", "utf-16-le", "utf-32", "cp1252", "utf-8-sig", "cp037"))
        joined = joined.decode("utf-8", "replace").encode(codec, "replace")
    return joined


def mutate_cells(content: bytes, random: Random) -> bytes:
    """Change cells of a table of text, or fields of a line that are separated by spaces."""
    delimiter = next((mark for mark in (b",", b"\t", b" ") if mark in content), b",")
    rows = [line.split(delimiter) for line in content.split(b"\n")]
    for _ in range(random.choice((1, 1, 2, 5))):
        row = random.choice(rows)
        position = random.randrange(len(row))
        text = random.choice((*STRINGS, *(str(number)[:6_000] for number in NUMBERS[:-6]), "1e999"))
        cell = text.encode("utf-8", "surrogatepass")
        match random.randrange(7):
            case 0:
                row[position] = cell
            case 1:
                row.insert(position, cell)
            case 2 if len(row) > 1:
                del row[position]
            case 3:
                row[position] = b'"' + row[position]
            case 4:
                row[position] = b'"' + row[position] + delimiter + cell + b"\n" + cell + b'"'
            case 5:
                for other in rows:
                    other[min(position, len(other) - 1)] = cell
            case _:
                for other in rows:
                    other.insert(min(position, len(other)), cell)
    joined = b"\n".join(delimiter.join(row) for row in rows)
    if random.random() < 0.15:
        joined = joined.replace(delimiter, random.choice((b";", b"|", b"\t", b",", b"\x00")))
    return joined


TOML_VALUES = (
    *("0", "-1", "1", "9223372036854775808", "-9223372036854775809", "nan", "-inf", "1e999"),
    *("0x7f", "0o17", "1_000", "9" * 5_000, "true", "false", '""', '" "', '"\\u0000"'),
    *('"\\u001b[31m"', '"\\U0010ffff"', '"""a\nb"""', "'''x'''", "[]", "[[]]", "{}", "{a = 1}"),
    *("[1, 'a', {}]", "1979-05-27T07:32:00Z", "1979-05-27", "07:32:00", f'"{"x" * HUGE}"'),
    *("[" * 30 + "]" * 30, "{a = " * 30 + "1" + "}" * 30, "[" * 3_000, "null", "x", '"\\ud800"'),
)


def mutate_toml(content: bytes, random: Random) -> bytes:
    """Change keys, values and tables of a TOML file."""
    lines = content.decode().split("\n")
    for _ in range(random.choice((1, 1, 2, 3))):
        number = random.randrange(len(lines))
        line = lines[number]
        key, equals, _ = line.partition("=")
        match random.randrange(8):
            case 0 | 1 | 2 if equals:
                lines[number] = f"{key}= {random.choice(TOML_VALUES)}"
            case 3:
                lines.insert(number, random.choice(lines))
            case 4 if len(lines) > 1:
                del lines[number]
            case 5:
                table = random.choice(("a", "training", "head", "a.b.c", '""', "x." * 40 + "x"))
                lines.insert(number, random.choice((f"[{table}]", f"[[{table}]]", f"{table} = 1")))
            case 6 if equals:
                other = random.choice(("x", f"{key.strip()}.x", f'"{key.strip()}"', '"\\u001b"'))
                lines[number] = line.replace(key.strip(), other, 1)
            case _:
                place = random.randrange(len(line) + 1)
                lines[number] = line[:place] + random.choice("[]{}\"'=#.\\\x00é\n") + line[place:]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


# -- binary formats -------------------------------------------------------------------------------


def mutate_safetensors(content: bytes, random: Random) -> bytes:
    """Change the header of a safetensors file, or the numbers of its tensors."""
    (size,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + size]), content[8 + size :]
    if random.random() < 0.25 and data:
        place = random.randrange(len(data) // 4) * 4
        number = struct.pack("<f", random.choice((0.0, 1e38, float("nan"), float("inf"), -1.0)))
        return content[: 8 + size] + data[:place] + number + data[place + 4 :]
    nested = header.get("__metadata__", {}).get("thawline")
    if nested is not None and random.random() < 0.7:
        header["__metadata__"]["thawline"] = dump_json(mutate_value(json.loads(nested), random))
    else:
        header = mutate_value(header, random)
    written = dump_json(header).encode("utf-8", "surrogatepass")
    if random.random() < 0.2:
        data = random.choice((data[:-1], data + b"\0", b"", data[: len(data) // 2], data * 2))
    length = random.choice((len(written), len(written), len(written), 0, 2**63, len(written) - 1))
    return struct.pack("<Q", length) + written + data


def mutate_npy(content: bytes, random: Random) -> bytes:
    """Change the header of a NumPy file."""
    start = content.index(b"{")
    end = content.index(b"\n", start)
    header = content[start:end].decode("latin-1")
    old = random.choice(re.findall(r"[\w<>|]+", header))
    new = random.choice(("0", "-1", str(2**62), "<f8", "|O", "|S5", "True", "", "((", "[]", "None"))
    changed = header.replace(old, new, 1).encode("latin-1")
    length = struct.pack("<H", len(changed) + 1)
    return content[:8] + length + changed + b"\n" + content[end + 1 :]


def packed(inner: Mutation) -> Mutation:
    """Return a mutation of the content of a gzip file, which gets a new checksum."""

    def mutate(content: bytes, random: Random) -> bytes:
        changed = inner(gzip.decompress(content), random)
        return gzip.compress(changed, mtime=0)

    return mutate


def zipped(inner: Mutation) -> Mutation:
    """Return a mutation of a member of a zip file: its content, its name or its method."""

    def mutate(content: bytes, random: Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist()}
        name = random.choice(list(members))
        if random.random() < 0.8:
            members[name] = inner(members[name], random)
        else:
            changed = random.choice(("../x.csv", "x.csv/", "a/b.csv", "\x1b.csv", "x", "ü.csv"))
            members[changed] = members.pop(name)
        buffer = io.BytesIO()
        method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for member, text in members.items():
                archive.writestr(zipfile.ZipInfo(member), text)
        return buffer.getvalue()

    return mutate


def mutate_archive(content: bytes, random: Random) -> bytes:
    """Change the members of a ``.tar.gz``: their names, their types or their content."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [
            (info, file.read() if (file := archive.extractfile(info)) else b"") for info in archive
        ]
    for _ in range(random.choice((1, 1, 3))):
        info, text = random.choice(members)
        match random.randrange(5):
            case 0:
                folders = random.choice(("../", "/", "", "train/pos/", "train/unsup/", "a/b/c/"))
                name = random.choice((*STRINGS[:-1], "9" * 5_000, info.name)).replace("\0", "")
                info.name = f"{folders}{name}.txt"
            case 1:
                info.type = random.choice((tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE))
                info.linkname = random.choice(("/etc/passwd", info.name, ""))
            case 2:
                members.append((info, mutate_bytes(text, random)))
            case _:
                members[members.index((info, text))] = (info, mutate_bytes(text, random))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", errors="surrogateescape") as archive:
        for info, text in members:
            info.size = len(text) if info.isreg() else 0
            try:
                archive.addfile(info, io.BytesIO(text))
            except (UnicodeError, ValueError):
                continue
    return buffer.getvalue()


def mutations_of(name: str) -> tuple[Mutation, ...]:
    """Return the mutations that suit a file of this name.

    The suffix of the uncompressed file determines those of its content.
    """
    suffixes = name.lower().split(".")[1:]
    if suffixes[-2:] == ["tar", "gz"]:
        return (mutate_archive, mutate_archive, packed(mutate_bytes), mutate_bytes)
    if suffixes[-1:] == ["gz"]:
        inner = mutations_of(name[: -len(".gz")])
        return (mutate_bytes, *map(packed, inner))
    if suffixes[-1:] == ["zip"]:
        return (mutate_bytes, *map(zipped, (mutate_bytes, mutate_lines, mutate_cells)))
    own: dict[str, tuple[Mutation, ...]] = {
        "csv": (mutate_cells, mutate_lines),
        "tsv": (mutate_cells, mutate_lines),
        "txt": (mutate_cells, mutate_lines),
        "vec": (mutate_cells, mutate_lines),
        "json": (mutate_json, mutate_json, mutate_json),
        "jsonl": (mutate_json, mutate_json, mutate_lines),
        "toml": (mutate_toml, mutate_toml),
        "safetensors": (mutate_safetensors, mutate_safetensors),
        "npy": (mutate_npy,),
    }
    return (mutate_bytes, *own.get(suffixes[-1] if suffixes else "", (mutate_lines,)))
