"""Messages below the command line name settings by their keys, never by options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path

import pytest
from sklearn.exceptions import ConvergenceWarning

import thawline
from thawline import ThawlineError, config
from thawline.classifier import TextClassifier
from thawline.classifier.parameters import SETTINGS
from thawline.config.annotations import settings_of

SOURCE = Path(thawline.__file__).parent
MODULES = sorted(
    path for path in SOURCE.rglob("*.py") if path.relative_to(SOURCE).parts[0] != "cli"
)

OPTION = re.compile(r"(?:^|\s)--[a-z][\w-]*(?![\w:-])")

COMMAND = re.compile(r"\b(?:thawline|pip|ray|hf) (?:[^.;,]|\.(?=\w))*")
"""A complete command, which anybody can run in a shell."""

ALLOWED = {
    "config/resolve.py": {"--set "},  # how the user wrote a setting on the command line
}
"""Strings that are not messages."""


def strings(tree: ast.AST) -> Iterator[str]:
    """Yield the literals of a module without docstrings and help texts, ``{}`` for a value."""
    ignored: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            ignored.add(id(node.value))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Help":
            ignored |= {id(part) for part in ast.walk(node)}
        if isinstance(node, ast.JoinedStr) and id(node) not in ignored:
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            ignored |= {id(part) for part in node.values}
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and id(node) not in ignored:
            yield str(node.value)


def options(text: str) -> list[str]:
    return OPTION.findall(COMMAND.sub("", text))


@cache
def keys() -> frozenset[str]:
    """Return the dotted keys of the settings of all commands."""
    kinds = [kind for kind in vars(config).values() if isinstance(kind, type)]
    configs = [kind for kind in kinds if is_dataclass(kind) and hasattr(kind, "to_dict")]
    return frozenset(key for kind in configs for key in settings_of(kind))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_messages_name_settings_by_their_keys(path: Path) -> None:
    allowed = ALLOWED.get(path.relative_to(SOURCE).as_posix(), set())
    for text in strings(ast.parse(path.read_text(encoding="utf-8"))):
        assert text in allowed or not options(text), text
        for key in re.findall(r"`(\w+(?:\.\w+)+)(?:=[^`]*)?`", text):
            assert key in keys() or path.match("runs/records/*") or "safetensors" in key, text


def test_an_option_in_a_message_is_found() -> None:
    tree = ast.parse('"""--doc"""\nx = f"use --lr {y}" + "--epochs 3" + "run thawline fit --out a"')
    assert sorted(map(options, strings(tree))) == [[], [" --lr"], ["--epochs"]]
    assert {"training.lr", "fit.training.lr", "vocabulary.size", "budget"} <= keys()


TEXTS, LABELS = (
    ["a good film", "a bad film", "a fine story", "a dull story"] * 10,
    [1, 0, 1, 0] * 10,
)

INVALID = [
    ("tokens.max_length", {"max_length": 999_999}),
    ("training.lr", {"lr": 0.1}),
    ("training.lr", {"lr": -1}),
    ("training.lr", {"epochs": 1, "optimizer": "sgd"}),
    ("training.epochs", {"strategy": "tfidf", "epochs": 3}),
    ("training.epochs", {"epochs": 1.5}),
    ("head.features", {"head": "mlp:4", "features": "99"}),
    ("head.pooling", {"head": "native", "pooling": "mean"}),
    ("head.head", {"head": "mlp:0"}),
    ("head.dropout", {"dropout": 0.5}),
    ("head.standardise", {"standardise": False, "strategy": "full"}),
    ("training.momentum", {"epochs": 1, "momentum": 0.5}),
    ("training.patience", {"epochs": 2, "patience": 2, "keep": "last"}),
    ("exact.penalties", {"epochs": 2, "penalties": [1.0]}),
    ("tapt.unlabelled", {"unlabelled": ["a.txt"]}),
    ("training.augment", {"augment": "copies=2"}),
    ("training.class_weights", {"class_weight": "balancd"}),
    ("training.label_smoothing", {"label_smoothing": 2}),
    ("data.labels", {"labels": ["a", "a"]}),
    ("backbone", {"vectors": "random"}),
    ("seed", {"random_state": -1}),
    (None, {"device": "gpu"}),
]
"""The setting that the error names, and parameters that are invalid alone or together."""


@pytest.mark.parametrize(("setting", "parameters"), INVALID, ids=str)
def test_errors_of_the_estimator_name_its_parameters(
    setting: str | None, parameters: dict[str, object]
) -> None:
    with pytest.raises(ThawlineError) as caught:
        TextClassifier(**parameters).fit(TEXTS, LABELS)  # type: ignore[arg-type]
    error = caught.value
    assert setting in (None, error.setting)
    assert "--" not in str(error)
    assert not [key for key in SETTINGS.values() if "." in key and key in str(error)]
    assert "`" not in str(error)


def test_a_proposed_value_is_written_as_python() -> None:
    with pytest.raises(ThawlineError) as caught:
        TextClassifier(strategy="tfidf", epochs=3).fit(TEXTS, LABELS)
    assert "strategy='head'" in caught.value.fix
    with pytest.raises(ThawlineError) as caught:
        TextClassifier(lr=0.1).fit(TEXTS, LABELS)
    assert "epochs=3" in caught.value.fix
    assert "lr=0.1" in caught.value.found


def test_a_warning_of_the_estimator_names_its_parameters() -> None:
    with pytest.warns(ConvergenceWarning) as caught:
        TextClassifier(max_iterations=1, tolerance=1e-12, penalties=[1e-6]).fit(TEXTS, LABELS)
    (words,) = {str(one.message) for one in caught if one.category is ConvergenceWarning}
    assert "max_iterations" in words
    assert not [key for key in SETTINGS.values() if "." in key and key in words]
