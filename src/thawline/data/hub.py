"""Sets that come through `datasets.load_dataset`, from a hub or from its cache."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from thawline.compat import quieten_hub
from thawline.data.tables import Table
from thawline.errors import ThawlineError, did_you_mean


@dataclass(frozen=True)
class HubSet:
    """A set on the hub, and what is known of it beforehand.

    Attributes:
        hub_id: where it stands; a local folder laid out as on the hub will do too.
        label_names: by label, from 0; empty: not known.
        text: its text column; ``None``: found by the common names.
        label: its label column; ``None``: found by the common names.
        config: its configuration; ``None``: its default.
    """

    hub_id: str
    label_names: tuple[str, ...] = ()
    text: str | None = None
    label: str | None = None
    config: str | None = None


NAMED_SETS: dict[str, HubSet] = {
    "imdb": HubSet("stanfordnlp/imdb", ("neg", "pos"), "text", "label"),
    "ag_news": HubSet(
        "fancyzhx/ag_news", ("World", "Sports", "Business", "Sci/Tech"), "text", "label"
    ),
    "sst2": HubSet("stanfordnlp/sst2", ("negative", "positive"), "sentence", "label"),
    "emotion": HubSet(
        "dair-ai/emotion",
        ("sadness", "joy", "love", "anger", "fear", "surprise"),
        "text",
        "label",
        config="split",
    ),
}
"""The sets that Thawline knows by a short name."""


def read_hub(name: str, hub_set: HubSet) -> dict[str, Table]:
    """Fetch a set, or take it from the cache of `datasets`.

    Args:
        name: what the user called it, for messages.
        hub_set: where it stands.

    Returns:
        A table for each split, by the split's name on the hub.

    Raises:
        ThawlineError: `datasets` is not installed, the hub cannot be reached, it has no such set,
            or the set cannot be read.
    """
    datasets = _import_datasets(name)
    quieten_hub()
    try:
        splits = datasets.load_dataset(hub_set.hub_id, hub_set.config)
    except (ConnectionError, datasets.exceptions.DatasetNotFoundError) as error:
        raise ThawlineError(
            "a path, or a set that the hub can give",
            f"no path named {name!r}, and the hub gave no set: {_first_line(error)}",
            f"check the network, or the path or hub id ({did_you_mean(name, NAMED_SETS)})",
        ) from error
    except Exception as error:  # what its builders raise is no part of the library's promise
        raise ThawlineError(
            f"a set that `datasets` can read, under {name!r}",
            f"{type(error).__name__}: {_first_line(error)}",
            "fetch it as Parquet, CSV or JSONL and give the folder",
        ) from error
    return {split: _table(name, split, rows) for split, rows in splits.items()}


def _import_datasets(name: str) -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        raise ThawlineError(
            "a path, or the library `datasets` to look on the hub",
            f"no path named {name!r}, and `datasets` is not installed",
            f'check the path or run pip install "thawline[hub]" ({did_you_mean(name, NAMED_SETS)})',
        ) from error
    module: ModuleType = datasets
    return module


def _table(name: str, split: str, rows: Any) -> Table:
    class_names = {
        column: tuple(feature.names)
        for column, feature in rows.features.items()
        if hasattr(feature, "names")
    }
    where = f"the split {split} of {name}"
    return Table(where, tuple(rows.column_names), lambda column: list(rows[column]), class_names)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
