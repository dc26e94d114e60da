"""Sets that come through `datasets.load_dataset`, from a hub or from its cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from thawline.data.labels import shown
from thawline.data.sources.memory import dataset_table
from thawline.data.sources.packaged import PACKAGED_SETS
from thawline.data.sources.parts import Part, Source, by_split, left_alone
from thawline.errors import ThawlineError, did_you_mean
from thawline.runtime.failures import first_line
from thawline.runtime.hub import hub_failure, quieten_hub


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
    "yelp_polarity": HubSet("fancyzhx/yelp_polarity", ("negative", "positive"), "text", "label"),
    "amazon_polarity": HubSet(
        "fancyzhx/amazon_polarity", ("negative", "positive"), "content", "label"
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


def known_sets() -> tuple[str, ...]:
    """Return the names of all sets that Thawline knows, those that come with it too."""
    return (*NAMED_SETS, *PACKAGED_SETS)


def hub_source(name: str, hub_set: HubSet, text: str | None, label: str | None) -> Source:
    """Return the splits of a set that `datasets` can load, from the hub or from its cache.

    Args:
        name: what the user called it, for messages.
        hub_set: where it stands and what is known of it.
        text: the text column, where the user named one.
        label: the label column, where the user named one.

    Raises:
        ThawlineError: `datasets` is not installed, the hub cannot be reached and the set is not in
            the cache, the hub has no such set, or the set cannot be read or has no usual split.
    """
    splits = _load(name, hub_set)
    text = hub_set.text if text is None else text
    label = hub_set.label if label is None else label
    found, others = by_split(splits, name)
    if not found:
        fix = "choose another set"
        raise ThawlineError(f"a train, validation or test split in {name}", shown(others), fix)
    parts = {}
    for split, own in found.items():
        opened = partial(dataset_table, splits[own], f"the split {own} of {name}")
        parts[split] = Part(own, opened, text, label, hub_set.label_names)
    return Source(name, parts, left_alone(others))


def _load(name: str, hub_set: HubSet) -> Any:
    """Return the `DatasetDict` of a set."""
    from huggingface_hub import HfApi

    datasets = _import_datasets(name)
    quieten_hub()
    ask = partial(HfApi().dataset_info, hub_set.hub_id)
    silence = None if Path(hub_set.hub_id).is_dir() else hub_failure(ask)
    try:
        with nullcontext() if silence is None else _only_from_cache(datasets):
            return datasets.load_dataset(hub_set.hub_id, hub_set.config)
    except (ConnectionError, datasets.exceptions.DatasetNotFoundError) as error:
        found = f"no path named {name!r}, and the hub gave no set: {first_line(error)}"
        if silence is not None:
            found = (
                f"no path named {name!r}, no copy in the cache, no answer of the hub ({silence})"
            )
        hint = "" if name in NAMED_SETS else f" ({did_you_mean(name, known_sets())})"
        fix = f"check the network, or the path or hub id{hint}"
        raise ThawlineError("a path, or a set that the hub can give", found, fix) from error
    except Exception as error:  # what its builders raise is no part of the library's promise
        raise ThawlineError(
            f"a set that `datasets` can read, under {name!r}",
            f"{type(error).__name__}: {first_line(error)}",
            "fetch it as Parquet, CSV or JSONL and give the folder",
        ) from error


@contextmanager
def _only_from_cache(datasets: ModuleType) -> Iterator[None]:
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _import_datasets(name: str) -> ModuleType:
    try:
        import datasets
    except ImportError as error:
        near = did_you_mean(name, known_sets())
        raise ThawlineError(
            "a path, or the library `datasets` to look on the hub",
            f"no path named {name!r}, and `datasets` is not installed",
            f'check the path or run pip install "thawline[hub]" ({near})',
        ) from error
    module: ModuleType = datasets
    return module
