"""A value that does not fit its setting, explained in one line.

What a setting takes is read from its annotation in `config/`: a type, and limits beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import cache
from itertools import takewhile
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen

from thawline.errors import ThawlineError, did_you_mean


@cache
def hints(job: type) -> dict[str, Any]:
    """Return the annotation of each setting of a job's config, such as `Config`, by its key."""

    def of(kind: type, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, hint in get_type_hints(kind, include_extras=True).items():
            if is_dataclass(hint):
                yield from of(hint, f"{prefix}{name}.")  # type: ignore[arg-type]
            else:
                yield f"{prefix}{name}", hint

    return dict(of(job, ""))


def is_text(job: type, key: str) -> bool:
    """Return whether a job has a setting of this key that takes a text."""
    if key not in hints(job):
        return False
    hint = _required(hints(job)[key])
    return hint is str or _is_choice(hint)


def as_plain(value: Any) -> Any:
    """Turn what JSON lacks into what it has: NumPy's numbers and arrays, paths, dates."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def explain(
    job: type, problem: Mapping[str, Any], values: Any, written: Mapping[str, str]
) -> ThawlineError:
    """Say in one line what pydantic found wrong.

    Args:
        job: the dataclass of its settings.
        problem: one of `pydantic.ValidationError.errors`.
        values: the plain values that were read, tables within tables.
        written: how they were written, each by its dotted key.
    """
    if problem["type"] == "json_invalid":  # half a character, which no UTF-8 has
        return ThawlineError("settings in UTF-8", problem["msg"], "convert them to UTF-8")
    key = ".".join(takewhile(lambda part: isinstance(part, str), problem["loc"]))
    if problem["type"] == "unexpected_keyword_argument":
        return _unknown(job, key, written)
    name = written.get(key, key)
    if key in hints(job):
        return _misfit(job, key, name, _value_at(values, key))
    expected = f"{name} to be a table of settings" if name else "a table of settings"
    first = next(setting for setting in hints(job) if setting.startswith(f"{key}." if key else ""))
    return ThawlineError(expected, _shown(problem["input"]), f"write {first} = … for one in it")


_ELSEWHERE = {"learning_rate": "lr", "num_train_epochs": "epochs", "max_seq_length": "max_length"}
"""What other libraries call a setting."""


def _unknown(job: type, key: str, written: Mapping[str, str]) -> ThawlineError:
    # An unknown table is named by the first setting in it, whose name is the better hint.
    key = next((full for full in written if full.startswith(f"{key}.")), key)
    known = list(hints(job))
    table, _, name = key.rpartition(".")
    own_name = _ELSEWHERE.get(name, name)
    same_name = [setting for setting in known if setting.rpartition(".")[2] == own_name]
    near = f"did you mean '{same_name[0]}'?" if same_name else did_you_mean(key, known)
    if not near.startswith("did you mean"):
        beside = [setting for setting in known if setting.rpartition(".")[0] == table]
        first_parts = dict.fromkeys(setting.split(".")[0] for setting in known)
        near = did_you_mean(key, beside if beside else first_parts)
    return ThawlineError("a setting that there is", written.get(key, key), near)


def _misfit(job: type, key: str, name: str, value: Any) -> ThawlineError:
    hint = _required(hints(job)[key])
    default = _value_at(asdict(job()), key)
    fix = "fix it, or leave it out" + (f" for {_shown(default)}" if default is not None else "")
    if _is_list(hint) and not isinstance(value, list | tuple):
        fix = "write it as a list, in square brackets with commas between"
    elif isinstance(value, str) and _reads_as_number(value) and _parts(hint)[0] in (int, float):
        fix = "take the quotation marks away"
    elif isinstance(value, str) and _is_choice(hint):
        fix = did_you_mean(value, get_args(hint))
    return ThawlineError(f"{name} to be {_described(hint)}", _shown(value), fix)


def _value_at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def _shown(value: Any) -> str:
    text = json.dumps(value, default=as_plain, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# -- annotations in words -------------------------------------------------------------------------

_NAMES = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    bool: ("true or false", "true or false"),
}


def _required(hint: Any) -> Any:
    """Return an annotation without its None."""
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    return hint


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the type in an annotation, and the limits beside it."""
    if get_origin(hint) is Annotated:
        kind, *limits = get_args(hint)
        return kind, tuple(limits)
    return hint, ()


def _is_list(hint: Any) -> bool:
    return get_origin(_parts(hint)[0]) is tuple


def _is_choice(hint: Any) -> bool:
    return get_origin(hint) is Literal


def _described(hint: Any) -> str:
    """Say what an annotation allows: ``a number above 0 and at most 1,000,000``."""
    if _is_choice(hint):
        *others, last = get_args(hint)
        return f"{', '.join(others)} or {last}"
    kind, limits = _parts(hint)
    if not _is_list(hint):
        return f"{_NAMES[kind][0]} {_range(limits)}".rstrip()
    items = get_args(kind)
    item, item_limits = _parts(items[0])
    count = "" if items[-1] is Ellipsis else f"{len(items)} "
    said = [f"a list of {count}{_NAMES[item][1]}"]
    said += [f"each {_range(item_limits)}"] if item_limits else []
    return ", ".join([*said, *map(_limit, limits)])


def _range(limits: Sequence[Any]) -> str:
    match limits:
        case [Ge(least), Le(most)]:
            return f"from {_number(least)} to {_number(most)}"
    return " and ".join(map(_limit, limits))


def _limit(limit: Any) -> str:
    match limit:
        case Ge(bound):
            return f"of at least {_number(bound)}"
        case Gt(bound):
            return f"above {_number(bound)}"
        case Le(bound):
            return f"at most {_number(bound)}"
        case Lt(bound):
            return f"below {_number(bound)}"
        case MinLen(length):
            return f"{length} or more of them"
    raise TypeError(f"a limit without words: {limit!r}")


def _number(bound: Any) -> str:
    return f"{int(bound):,}" if bound == int(bound) else f"{bound:,}"
