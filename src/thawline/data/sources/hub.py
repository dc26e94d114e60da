"""Load data sets with `datasets.load_dataset`, from the hub or from its cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from thawline.data.labels import join_words
from thawline.data.sources.memory import dataset_table
from thawline.data.sources.packaged import PACKAGED_SETS
from thawline.data.sources.parts import Part, Source, ignored_warning, match_splits
from thawline.errors import ThawlineError, did_you_mean
from thawline.runtime.failures import first_line
from thawline.runtime.hub import hub_failure, quieten_hub


@dataclass(frozen=True)
class HubSet:
    """A data set on the hub, with its known properties.

    Attributes:
        hub_id: The hub id, or a local folder with the layout of the hub.
        label_names: The class names by label, from 0. Empty if they are unknown.
        text: The text column. If None, it is found by common names.
        label: The label column. If None, it is found by common names.
        config: The configuration of the data set. If None, its default configuration.
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
        "fancyzhx/amazon_polarity", ("negative", "positive"), "title+content", "label"
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
"""The data sets that Thawline knows by a short name."""


def known_sets() -> tuple[str, ...]:
    """Return the names of all known data sets, including those of the package."""
    return (*NAMED_SETS, *PACKAGED_SETS)


def hub_source(name: str, hub_set: HubSet, text: str | None, label: str | None) -> Source:
    """Return the splits of a data set that `datasets` can load, from the hub or from its cache.

    Args:
        name: The name that the user gave, for messages.
        hub_set: The hub id and the known properties.
        text: The text column that the user named, or None.
        label: The label column that the user named, or None.

    Raises:
        ThawlineError: If `datasets` is not installed, if the hub cannot be reached and the data set
            is not in the cache, if the hub has no such data set, or if the data set cannot be read
            or has no train, validation or test split.
    """
    splits = _load(name, hub_set)
    text = hub_set.text if text is None else text
    label = hub_set.label if label is None else label
    found, others = match_splits(splits, name)
    if not found:
        expected = f"a train, validation or test split in {name}"
        names = f"only the splits {join_words(others)}" if others else "no splits"
        raise ThawlineError(expected, names, "choose another data set")
    parts = {}
    for split, hub_split in found.items():
        opened = partial(dataset_table, splits[hub_split], f"the split {hub_split} of {name}")
        parts[split] = Part(hub_split, opened, text, label, hub_set.label_names)
    return Source(name, parts, ignored_warning(others))


def _load(name: str, hub_set: HubSet) -> Any:
    """Return the `DatasetDict` of a data set."""
    from huggingface_hub import HfApi

    datasets = _import_datasets(name)
    quieten_hub()
    request = partial(HfApi().dataset_info, hub_set.hub_id)
    hub_error = None if Path(hub_set.hub_id).is_dir() else hub_failure(request)
    try:
        with nullcontext() if hub_error is None else _only_from_cache(datasets):
            return datasets.load_dataset(hub_set.hub_id, hub_set.config)
    except (ConnectionError, datasets.exceptions.DatasetNotFoundError) as error:
        found = (
            f"no file or folder named {name!r}, and no data set from the hub: {first_line(error)}"
        )
        if hub_error is not None:
            found = (
                f"no file or folder named {name!r}, no copy in the cache, and no answer from the "
                f"hub ({hub_error})"
            )
        hint = "" if name in NAMED_SETS else f" ({did_you_mean(name, known_sets())})"
        fix = f"check the network, and the path or hub id{hint}"
        raise ThawlineError("a path or a data set on the hub", found, fix) from error
    except Exception as error:  # the exceptions of dataset builders are not documented
        raise ThawlineError(
            f"a data set {name!r} that the library `datasets` can read",
            f"an error of that library: {type(error).__name__}: {first_line(error)}",
            "download the data set as Parquet, CSV or JSONL and give the folder",
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
        hint = did_you_mean(name, known_sets())
        raise ThawlineError(
            "a path, or the library `datasets` to load a data set from the hub",
            f"no file or folder named {name!r}, and `datasets` is not installed",
            f'check the path, or run pip install "thawline[hub]" ({hint})',
        ) from error
    module: ModuleType = datasets
    return module
