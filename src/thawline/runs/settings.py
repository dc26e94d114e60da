"""Read and check the settings of an artifact, ``thawline.json``, without torch or pydantic.

The file may come from an untrusted source, so every key and every value is checked before it is
used.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thawline.errors import ThawlineError
from thawline.runs.layout import (
    ADAPTER,
    FORMAT,
    FORMATS,
    HEAD,
    ONNX,
    SETTINGS,
    TERMS,
    WORD_WEIGHTS,
    AdapterSettings,
)
from thawline.runtime.checksums import check_checksums, folder_checksums
from thawline.runtime.hardware import available_memory_bytes
from thawline.runtime.json_values import JsonValues
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
    rf"{HEAD}|{ONNX}(\.data)?|{TERMS}|{WORD_WEIGHTS}|(config|generation_config)\.json"
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
    file = JsonValues(path, FIX)
    if not isinstance(values, dict) or "format" not in values:
        raise ThawlineError(f"a value for 'format' in '{path}'", "no 'format'", FIX)
    if values["format"] not in FORMATS or type(values["format"]) is not int:
        raise ThawlineError(
            f"a saved classifier of format {FORMAT} or earlier",
            f"format {show_value(values['format'])} in '{folder}'",
            "load it with the version of Thawline that saved it",
        )
    has_checksums = values["format"] >= 2
    required = ("format", "labels", "reading", "head", "strategy", "backbone")
    file.keys("", values, required + ((SHA256,) if has_checksums else ()), ("adapter", "onnx"))
    if has_checksums:
        _check_checksum_table(file, values)
    _check_labels(file, values["labels"])
    for key in ("head", "strategy"):
        _check_name(file, key, values[key])
    if values["backbone"] is None:
        _check_words_alone(file, values)
        return values
    _check_name(file, "backbone", values["backbone"])
    _check_reading(file, values["reading"])
    if values.get("adapter") is not None:
        _check_adapter(file, values["adapter"])
    if values.get("onnx") is not None:
        file.one_of("onnx", values["onnx"], ("float32", "int8"))
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


def files_of_artifact(folder: Path, values: Mapping[str, Any]) -> list[str]:
    """Return the names of the files of an artifact, without the settings and the model card.

    Args:
        folder: The folder of the artifact.
        values: The settings of the artifact, as `read_settings` returns them.
    """
    if SHA256 in values:
        return sorted({*values[SHA256]} - {SETTINGS})
    paths = [*folder.iterdir(), *_entries(folder / ADAPTER)]
    names = (path.relative_to(folder).as_posix() for path in paths)
    return sorted(name for name in names if _FILES.fullmatch(name))


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


def _check_name(file: JsonValues, key: str, value: object) -> None:
    """Check that a value is a string that can be a name, a path or an option."""
    if "\0" in file.text(key, value, MAX_STRING, least=1):
        file.refuse(key, "a string without null characters", value)


def _check_labels(file: JsonValues, labels: Any) -> None:
    file.keys("labels", labels, ("names", "values"))
    names, values = labels["names"], labels["values"]
    for key, items in labels.items():
        file.items(f"labels.{key}", items, MAX_LABELS, least=2)
    for name in names:
        if not isinstance(name, str) or not _is_unicode(name):
            file.refuse("labels.names", "names that are strings", name)
    kind = type(values[0])
    for value in values:
        if kind not in (int, str) or type(value) is not kind:
            file.refuse("labels.values", "values that are all integers or all strings", value)
        if isinstance(value, str) and not _is_unicode(value):
            file.refuse("labels.values", "values in valid Unicode", value)
    for key, items in labels.items():
        if len(set(items)) < len(items):
            file.refuse(f"labels.{key}", "values that differ from each other", items)
    if len(names) != len(values):
        file.refuse("labels.values", f"as many values as names ({len(names):,})", values)


def _check_reading(file: JsonValues, reading: Any) -> None:
    required = ("max_length", "truncation_side", "pooling", "stages")
    file.keys("reading", reading, required, ("pairs",))
    file.whole("reading.max_length", reading["max_length"], 1, MAX_TOKENS)
    file.one_of("reading.truncation_side", reading["truncation_side"], ("right", "left"))
    file.one_of("reading.pooling", reading["pooling"], ("first", "last", "mean"))
    file.boolean("reading.pairs", reading.get("pairs", False))
    stages = file.items("reading.stages", reading["stages"], MAX_STAGES, least=1)
    for stage in stages:
        file.whole("reading.stages", stage, 0, MAX_STAGES)
    if len(set(stages)) < len(stages):
        file.refuse("reading.stages", "stages that differ from each other", stages)


def _check_words_alone(file: JsonValues, values: Mapping[str, Any]) -> None:
    """Check the settings of a classifier without a backbone, which reads only words."""
    file.keys("reading", values["reading"], ("pairs",))
    file.boolean("reading.pairs", values["reading"]["pairs"])
    file.one_of("head", values["head"], ("linear",))
    if values.get("adapter") is not None:
        file.refuse("adapter", "null", values["adapter"])
    if values.get("onnx") is not None:
        file.refuse("onnx", "null", values["onnx"])


def _check_adapter(file: JsonValues, adapter: Any) -> None:
    file.keys("adapter", adapter, ("base", "base_sha256", "head_dropout"))
    _check_name(file, "adapter.base", adapter["base"])
    _check_sha256(file, "adapter.base_sha256", adapter["base_sha256"])
    file.number("adapter.head_dropout", adapter["head_dropout"], 0, 1)


def _check_checksum_table(file: JsonValues, values: Mapping[str, Any]) -> None:
    table = file.mapping(SHA256, values[SHA256])
    file.keys(SHA256, table, (SETTINGS,), tuple(table))
    for name, sha256 in table.items():
        if re.fullmatch(rf"({ADAPTER}/)?\w[\w.-]{{0,200}}", name) is None:
            file.refuse(SHA256, "only names of files in the folder of the classifier", name)
        _check_sha256(file, f"{SHA256}.{name}", sha256)


def _check_sha256(file: JsonValues, key: str, value: object) -> None:
    if not isinstance(value, str) or re.fullmatch("[0-9a-f]{64}", value) is None:
        file.refuse(key, "a SHA-256 of 64 hexadecimal digits", value)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
