"""Explain in one line why a value is invalid for its setting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import takewhile
from types import NoneType
from typing import Any

from thawline.config.annotations import Setting, describe_type, settings_of
from thawline.errors import ThawlineError, assignment, did_you_mean, elide

NAMES_ELSEWHERE = {
    "learning_rate": "lr",
    "num_train_epochs": "epochs",
    "max_seq_length": "max_length",
}
"""Names of settings in other libraries, each with the name of the same setting in Thawline."""


def as_plain(value: Any) -> Any:
    """Convert a value that JSON cannot represent, such as a NumPy number, an array or a path."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def explain_validation_error(
    config_type: type, problem: Mapping[str, Any], values: Any, sources: Mapping[str, str]
) -> ThawlineError:
    """Return a ThawlineError for a problem that pydantic found.

    Args:
        config_type: The dataclass that the values were read for.
        problem: One item of `pydantic.ValidationError.errors`.
        values: The plain values that were read, as nested tables.
        sources: How the user wrote each setting, by its dotted key, for example ``--set
            training.lr``. The error names a setting that is missing here by its key.
    """
    if problem["type"] == "json_invalid":  # for example half a surrogate pair, invalid in UTF-8
        found = f"an encoding error: {problem['msg']}"
        return ThawlineError("settings in UTF-8", found, "convert them to UTF-8")
    key = ".".join(takewhile(lambda part: isinstance(part, str), problem["loc"]))
    if problem["type"] == "unexpected_keyword_argument":
        return _explain_unknown(config_type, key, sources)
    settings = settings_of(config_type)
    if key in settings:
        name = sources.get(key, f"`{key}`")
        return _explain_value(settings[key], name, _value_at(values, key))
    name = sources.get(key, key)
    expected = f"a table of settings for {name}" if name else "a table of settings"
    first = next(known for known in settings if known.startswith(f"{key}." if key else ""))
    fix = f"use for example {assignment(first, '…')} to change one of its settings"
    return ThawlineError(expected, _shown(problem["input"]), fix, setting=key if key else None)


def _explain_unknown(config_type: type, key: str, sources: Mapping[str, str]) -> ThawlineError:
    # For an unknown table, report the first setting in it, because its name says more.
    key = next((full for full in sources if full.startswith(f"{key}.")), key)
    known = list(settings_of(config_type))
    table, _, name = key.rpartition(".")
    known_name = NAMES_ELSEWHERE.get(name, name)
    same_name = [setting for setting in known if setting.rpartition(".")[2] == known_name]
    fix = f"did you mean '{same_name[0]}'?" if same_name else did_you_mean(key, known)
    if not fix.startswith("did you mean"):
        same_table = [setting for setting in known if setting.rpartition(".")[0] == table]
        first_parts = dict.fromkeys(setting.split(".")[0] for setting in known)
        fix = did_you_mean(key, same_table if same_table else first_parts)
    found = sources.get(key, key).replace(key, f"'{key}'", 1)
    return ThawlineError("a known setting", found, fix, setting=key)


def _explain_value(setting: Setting, name: str, value: Any) -> ThawlineError:
    what = "value in this range" if setting.has_range else "value of this type"
    has_default = setting.default is not None and setting.default != ()
    default = f" to use the default ({_shown(setting.default)})" if has_default else ""
    fix = f"use a {what}, or omit it{default}"
    if setting.is_list and not isinstance(value, list | tuple):
        fix = "write it as a list, in square brackets with commas between the items"
        if setting.has_strings and isinstance(value, str) and value.startswith("["):  # not TOML
            fix = "put quotation marks around each string, and in a shell, others around the list"
    elif isinstance(value, str) and setting.type in (int, float) and _is_number(value):
        fix = "remove the quotation marks"
    elif isinstance(value, str) and setting.choices:
        fix = did_you_mean(value, setting.choices)
    expected = f"{describe_type(setting.hint)} for {name}"
    return ThawlineError(expected, _shown(value), fix, setting=setting.key)


def _value_at(values: Any, key: str) -> Any:
    """Return the value at a dotted key in nested tables."""
    for part in key.split("."):
        values = values[part]
    return values


def _shown(value: Any) -> str:
    """Return a value in words, with strings in single quotes, and at most about 80 characters."""
    return elide(_in_words(value), 80)


def _in_words(value: Any) -> str:
    if not isinstance(value, str | int | float | list | tuple | dict | NoneType):
        value = as_plain(value)
    if isinstance(value, str):
        return f"'{elide(value, 78)}'"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_words, value[:80]))}]"
    return "none" if value is None else json.dumps(value, default=as_plain, ensure_ascii=False)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
