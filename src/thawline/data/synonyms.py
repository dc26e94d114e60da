"""Read the lexicon of English synonyms that data augmentation uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache

from thawline.runtime.packages import check_published, package_folder

LEXICON = "niacin 0.5.2"
"""The package that contains the lexicon. Its synonyms are those of WordNet (Miller, 1995)."""

_MODULE, _FILE, _EXTRA = "niacin", "data/synonyms.json", "augment"

_SHA256 = "027b68dc6068897a9cd45bbf3b3f5b53d463ed26c14cc5a49b45ef6ec6ee4565"


@cache
def read_synonyms() -> Mapping[str, tuple[str, ...]]:
    """Return the synonyms of each English word, in lower case.

    Function words, such as "not" and "in", are left out, because their entries are other words
    that are only spelled like them. Some synonyms consist of several words.

    Raises:
        ThawlineError: If the package with the lexicon is not installed, or if its file differs
            from the published one.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    file = package_folder("synonyms", _MODULE, _EXTRA) / _FILE
    check_published("synonyms", file, _SHA256, _MODULE)
    entries: dict[str, list[str]] = json.loads(file.read_text(encoding="utf-8"))
    found: dict[str, tuple[str, ...]] = {}
    for entry, listed in entries.items():
        word = entry.lower()
        others = dict.fromkeys((*found.get(word, ()), *listed))
        others.pop(entry, None)
        if others and word not in ENGLISH_STOP_WORDS:
            found[word] = tuple(others)
    return found
