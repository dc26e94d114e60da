"""Read and check the settings of an artifact, ``thawline.json``, without torch or pydantic.

The file may come from a stranger. So every key and every value is checked before it is used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from thawline.errors import ThawlineError
from thawline.runs.layout import (
    ADAPTER,
    FORMAT,
    FORMATS,
    HEAD,
    SETTINGS,
    TERMS,
    WORD_WEIGHTS,
    AdapterSettings,
)
from thawline.runtime.checksums import check_checksums, folder_checksums
from thawline.runtime.hardware import available_memory_bytes
from thawline.runtime.untrusted import check_regular, read_json, show_value

MAX_LABELS = 1_000_000
MAX_TOKENS = 10_000_000
MAX_STAGES = 1_000
MAX_STRING = 4_096
"""Limits of the values in the settings. The file's size limits the length of the labels."""

SHA256 = "sha256"
"""The key of the checksums."""

FIX = "restore the folder from a copy, save the classifier again, or run fit again"

MAX_BYTES = 16 * 2**20
"""The largest size of the settings, in bytes."""

_FILES = re.compile(
    rf"{HEAD}|{TERMS}|{WORD_WEIGHTS}|(config|generation_config)\.json"
    r"|model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json"
    r"|(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json"
    r"|vocab\.txt|merges\.txt|chat_template\.jinja"
    r"|(tokenizer|spiece|sentencepiece\.bpe)\.model"
    rf"|{ADAPTER}/adapter_config\.json|{ADAPTER}/adapter_model\.safetensors"
)
"""The files that a library opens if they are in the folder of an artifact."""

_FORBIDDEN = frozenset(
    {"adapter_config.json", "additional_chat_templates", "processor_config.json"}
)
"""Names that change what transformers loads. No artifact has an entry of such a name.

With an ``adapter_config.json``, transformers would load another model than that of the folder.
"""


def read_settings(folder: Path) -> dict[str, Any]:
    """Read the settings of an artifact as JSON values, and check them.

    Args:
        folder: The folder of the artifact.

    Raises:
        ThawlineError: If the file is damaged, has another format, or holds an unknown key or an
            invalid value.
        OSError: If the file cannot be read.
    """
    path = folder / SETTINGS
    check_regular(path, inside=boundary(folder))
    values = read_json(path, limit=MAX_BYTES)
    check = _Check(path)
    if not isinstance(values, dict) or "format" not in values:
        check.missing("format")
    if values["format"] not in FORMATS or type(values["format"]) is not int:
        raise ThawlineError(
            f"a saved classifier of format {FORMAT} or earlier",
            f"format {show_value(values['format'])} in '{folder}'",
            "load it with the version of Thawline that saved it",
        )
    has_checksums = values["format"] >= 2
    check.keys(
        values,
        "",
        ("format", "labels", "reading", "head", "strategy", "backbone")
        + ((SHA256,) if has_checksums else ()),
        optional=("adapter",),
    )
    if has_checksums:
        _check_checksum_table(check, values)
    _check_labels(check, values["labels"])
    for key in ("head", "strategy"):
        check.string(values, key)
    if values["backbone"] is None:
        _check_words_alone(check, values)
        return values
    check.string(values, "backbone")
    _check_reading(check, values["reading"])
    if values.get("adapter") is not None:
        _check_adapter(check, values["adapter"])
    return values


def read_adapter(values: Mapping[str, Any]) -> AdapterSettings | None:
    """Return the settings of live adapters. None if the artifact is a complete model.

    Args:
        values: The settings of the artifact, as `read_settings` returns them.
    """
    adapter = values.get("adapter")
    return None if adapter is None else AdapterSettings(**adapter)


def add_checksums(folder: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the checksums of all files of an artifact.

    Args:
        folder: The folder of the artifact, which contains all files except the settings.
        values: The settings without checksums.
    """
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    checksums = folder_checksums(folder, (name for name in names if name != SETTINGS))
    signed = {**values, SHA256: checksums}
    return {**values, SHA256: {**checksums, SETTINGS: settings_sha256(signed)}}


def settings_sha256(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the settings themselves, in hexadecimal.

    The path of the adapters' base is left out, because a user may change it after the base was
    moved. The weights of the base have a digest of their own.

    Args:
        values: The settings, with or without their own checksum.
    """
    covered = json.loads(json.dumps(values))
    covered[SHA256].pop(SETTINGS, None)
    if covered.get("adapter") is not None:
        covered["adapter"].pop("base")
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()


def check_files(folder: Path, values: Mapping[str, Any]) -> None:
    """Check every file of an artifact before a library opens one of them.

    Only regular files inside the folder are accepted. If the settings hold checksums, each file
    must have the contents that were saved. Artifacts of format 1 have no checksums.

    Args:
        folder: The folder of the artifact.
        values: The settings of the artifact, as `read_settings` returns them.

    Raises:
        ThawlineError: If a file is not regular, leads out of the folder, is larger than the
            available memory, does not belong to an artifact, is missing or has changed. The error
            names the file.
        OSError: If a file cannot be read.
    """
    checksums = values.get(SHA256)
    inside = boundary(folder)
    # The tokenizer's loader would read the config of a complete model.
    forbidden = _FORBIDDEN if values.get("adapter") is None else {*_FORBIDDEN, "config.json"}
    # A larger file could not be loaded, and its checksum would take minutes.
    memory = available_memory_bytes()
    for path in [*folder.iterdir(), *_entries(folder / ADAPTER)]:
        name = path.relative_to(folder).as_posix()
        is_read = _FILES.fullmatch(name) is not None
        if name in forbidden or (is_read and checksums is not None and name not in checksums):
            raise ThawlineError(
                f"only the files of a saved classifier in '{folder}'",
                f"the file '{name}', which does not belong to it",
                "remove the file, or save the classifier again",
            )
        if is_read or (checksums is not None and name in checksums):
            check_regular(path, limit=memory, inside=inside)
    if checksums is None:
        return
    if checksums[SETTINGS] != settings_sha256(values):
        raise ThawlineError(
            f"the file '{SETTINGS}' as it was saved in '{folder}'",
            f"other contents of {SETTINGS}",
            FIX,
        )
    files = {name: sha256 for name, sha256 in checksums.items() if name != SETTINGS}
    check_checksums(folder, files, FIX)


def boundary(folder: Path) -> Path:
    """Return the folder that links in a folder of a model may not leave.

    The hub's cache keeps files in ``models--…/blobs`` and links to them in ``models--…/snapshots``.
    """
    snapshots = folder.absolute().parent
    if snapshots.name == "snapshots" and snapshots.parent.name.startswith("models--"):
        return snapshots.parent
    return folder


def _entries(folder: Path) -> list[Path]:
    return [*folder.iterdir()] if folder.is_dir() else []


class _Check:
    """Raise a ThawlineError that names the file and the key of an invalid value."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fail(self, expected: str, value: object, key: str = "") -> NoReturn:
        where = f"'{self._path}'" if not key else f"'{key}' of '{self._path}'"
        raise ThawlineError(f"{expected} in {where}", f"{key} {show_value(value)}".strip(), FIX)

    def missing(self, key: str) -> NoReturn:
        raise ThawlineError(f"a value for '{key}' in '{self._path}'", f"no '{key}'", FIX)

    def keys(
        self,
        values: Any,
        key: str,
        required: tuple[str, ...],
        optional: tuple[str, ...] = (),
    ) -> None:
        """Check that a value is an object with the required keys and no unknown ones."""
        if not isinstance(values, dict):
            self.fail("an object", values, key)
        prefix = f"{key}." if key else ""
        for name in required:
            if name not in values:
                self.missing(f"{prefix}{name}")
        for name in values:
            if name not in required + optional:
                known = ", ".join((*required, *optional))
                self.fail(f"only known keys ({known})", f"{prefix}{name}", key)

    def string(self, values: Mapping[str, Any], name: str, key: str = "") -> None:
        """Check that a value is a string that can be a name, a path or an option."""
        value = values[name]
        if not isinstance(value, str) or not 0 < len(value) <= MAX_STRING or "\0" in value:
            self.fail(f"a string of 1 to {MAX_STRING:,} characters", value, key or name)

    def number(
        self, value: object, key: str, minimum: float, maximum: float, *, integer: bool = True
    ) -> None:
        """Check that a value is a finite number in a range."""
        kinds = (int,) if integer else (int, float)
        if type(value) not in kinds or not minimum <= value <= maximum:  # type: ignore[operator]
            kind = "an integer" if integer else "a number"
            self.fail(f"{kind} between {minimum:,} and {maximum:,}", value, key)

    def list(self, value: object, key: str, maximum: int, minimum: int = 1) -> None:
        """Check that a value is a list of a bounded length."""
        if not isinstance(value, list) or not minimum <= len(value) <= maximum:
            self.fail(f"a list of {minimum} to {maximum:,} values", value, key)

    def choice(self, value: object, key: str, known: tuple[Any, ...]) -> None:
        """Check that a value is one of a few."""
        if not any(value is one or (type(value) is type(one) and value == one) for one in known):
            self.fail(f"one of {', '.join(map(show_value, known))}", value, key)


def _check_labels(check: _Check, labels: Any) -> None:
    check.keys(labels, "labels", ("names", "values"))
    names, values = labels["names"], labels["values"]
    for key, items in labels.items():
        check.list(items, f"labels.{key}", MAX_LABELS, minimum=2)
    for name in names:
        if not isinstance(name, str) or not _is_unicode(name):
            check.fail("names that are strings", name, "labels.names")
    kind = type(values[0])
    for value in values:
        if kind not in (int, str) or type(value) is not kind:
            check.fail("values that are all integers or all strings", value, "labels.values")
        if isinstance(value, str) and not _is_unicode(value):
            check.fail("values in valid Unicode", value, "labels.values")
    for key, items in labels.items():
        if len(set(items)) < len(items):
            check.fail("values that differ from each other", items, f"labels.{key}")
    if len(names) != len(values):
        check.fail(f"as many values as names ({len(names):,})", values, "labels.values")


def _check_reading(check: _Check, reading: Any) -> None:
    required = ("max_length", "truncation_side", "pooling", "stages")
    check.keys(reading, "reading", required, optional=("pairs",))
    check.number(reading["max_length"], "reading.max_length", 1, MAX_TOKENS)
    check.choice(reading["truncation_side"], "reading.truncation_side", ("right", "left"))
    check.choice(reading["pooling"], "reading.pooling", ("first", "last", "mean"))
    check.choice(reading.get("pairs", False), "reading.pairs", (True, False))
    stages = reading["stages"]
    check.list(stages, "reading.stages", MAX_STAGES)
    for stage in stages:
        check.number(stage, "reading.stages", 0, MAX_STAGES)
    if len(set(stages)) < len(stages):
        check.fail("stages that differ from each other", stages, "reading.stages")


def _check_words_alone(check: _Check, values: Mapping[str, Any]) -> None:
    """Check the settings of a classifier without a backbone, which reads only words."""
    check.keys(values["reading"], "reading", ("pairs",))
    check.choice(values["reading"]["pairs"], "reading.pairs", (True, False))
    check.choice(values["head"], "head", ("linear",))
    check.choice(values.get("adapter"), "adapter", (None,))


def _check_adapter(check: _Check, adapter: Any) -> None:
    check.keys(adapter, "adapter", ("base", "base_sha256", "head_dropout"))
    check.string(adapter, "base", "adapter.base")
    _check_sha256(check, adapter["base_sha256"], "adapter.base_sha256")
    check.number(adapter["head_dropout"], "adapter.head_dropout", 0, 1, integer=False)


def _check_checksum_table(check: _Check, values: Mapping[str, Any]) -> None:
    table = values[SHA256]
    check.keys(table, SHA256, (SETTINGS,), optional=tuple(table) if isinstance(table, dict) else ())
    for name, sha256 in table.items():
        if re.fullmatch(rf"({ADAPTER}/)?\w[\w.-]{{0,200}}", name) is None:
            check.fail("only names of files in the folder of the classifier", name, SHA256)
        _check_sha256(check, sha256, f"{SHA256}.{name}")


def _check_sha256(check: _Check, value: object, key: str) -> None:
    if not isinstance(value, str) or re.fullmatch("[0-9a-f]{64}", value) is None:
        check.fail("a SHA-256 of 64 hexadecimal digits", value, key)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
