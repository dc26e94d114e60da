"""The methods of regularisation that the benchmark implements, and its results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks import regularisation
from tests.support.command_line import write_set
from tests.support.pages import ROOT
from thawline.inference.examples import TokenBatch

FEATURES, LABELS = (
    torch.randn(12, 5, generator=torch.Generator().manual_seed(0)),
    torch.arange(12) % 2,
)
HEAD = nn.Sequential(nn.Linear(5, 2))


def loss_of(logits: Tensor, labels: Tensor = LABELS) -> Tensor:
    return cross_entropy(logits, labels, reduction="sum")


@pytest.mark.parametrize("method", ["dropout", "multi-sample dropout"])
def test_without_dropout_a_method_has_the_plain_loss(method: str) -> None:
    loss = regularisation.LOSSES[method](HEAD, FEATURES, loss_of, LABELS, 0.0)
    assert loss.item() == pytest.approx(loss_of(HEAD(FEATURES)).item())
    other = regularisation.LOSSES[method](HEAD, FEATURES, loss_of, LABELS, 0.5)
    assert other.item() != pytest.approx(loss.item())
    assert not HEAD._forward_pre_hooks


def test_r_drop_penalises_different_predictions() -> None:
    head = nn.Sequential(nn.Dropout(0.5), nn.Linear(5, 2))
    same = regularisation.r_drop(head.eval(), FEATURES, loss_of, LABELS, 5.0)
    assert same.item() == pytest.approx(loss_of(head(FEATURES)).item(), rel=1e-5)
    torch.manual_seed(0)
    light = regularisation.r_drop(head.train(), FEATURES, loss_of, LABELS, 0.0)
    torch.manual_seed(0)
    heavy = regularisation.r_drop(head.train(), FEATURES, loss_of, LABELS, 5.0)
    assert heavy.item() > light.item()


def test_mixup_of_texts_with_equal_features_mixes_only_the_labels() -> None:
    features = FEATURES[:1].expand(12, 5)
    loss = regularisation.mixup(HEAD, features, loss_of, LABELS, 1.0)
    assert loss.item() == pytest.approx(loss_of(HEAD(features)).item(), rel=1e-5)


def test_tokens_are_dropped_with_their_states_but_never_the_first_one() -> None:
    lengths = torch.tensor([7, 3, 1])
    mask = (torch.arange(7) < lengths[:, None]).long()
    ids = torch.arange(21).view(3, 7)
    states = ids[:, :, None].float().expand(-1, -1, 4)
    batch = TokenBatch({"input_ids": ids, "attention_mask": mask}, states)
    everything = regularisation.drop_tokens(batch, 0.0)
    assert torch.equal(everything.inputs["attention_mask"], mask)
    torch.manual_seed(1)
    fewer = regularisation.drop_tokens(batch, 0.5)
    left, kept = fewer.inputs["input_ids"], fewer.inputs["attention_mask"].bool()
    assert left[:, 0].tolist() == [0, 7, 14]
    assert 3 < int(kept.sum()) < 11
    assert fewer.states is not None
    assert torch.equal(fewer.states[:, :, 0], left.float())
    assert all((row[real].diff() > 0).all() for row, real in zip(left, kept, strict=True))
    assert not (regularisation.drop_tokens(batch, 0.999).inputs["attention_mask"][:, 1:]).any()


def row(method: str, strength: float, seed: int, right: list[int], **values: Any) -> dict[str, Any]:
    packed = np.packbits(np.array(right, dtype=bool)).tobytes().hex()
    found = {"set": "a", "case": "linear head", "method": method, "strength": strength}
    scores = {"validation_accuracy": 0.5, "validation_loss": 0.5, "test_accuracy": np.mean(right)}
    return {**found, "seed": seed, "right": packed, "test_rows": len(right), **scores, **values}


def test_the_strength_is_chosen_on_validation_and_the_gain_measured_on_test() -> None:
    none, all_right = [0, 1] * 50, [1] * 100
    rows = [row("none", 0, seed, none) for seed in range(2)]
    rows += [row("mixup", 0.2, seed, all_right) for seed in range(2)]
    rows += [row("mixup", 1.0, seed, none, validation_loss=0.4) for seed in range(2)]
    found = regularisation.gains(rows)["linear head", "mixup"]["a"]
    assert (found.strength, found.interval.value) == (1.0, 0)
    assert regularisation.to_keep(rows) == set()
    better = [
        {**each, "validation_accuracy": 0.6} if each["strength"] == 0.2 else each for each in rows
    ]
    assert regularisation.gains(better)["linear head", "mixup"]["a"].interval.value == 0.5
    assert regularisation.to_keep(better) == {"mixup"}
    elsewhere = [{**each, "set": "b"} for each in rows]
    assert regularisation.to_keep(better + elsewhere) == set()


def test_no_method_is_kept_and_the_page_shows_why() -> None:
    rows = json.loads(regularisation.FILE.read_text(encoding="utf-8"))
    assert regularisation.to_keep(rows) == set()
    assert regularisation.table(rows) in (ROOT / "docs" / "tried.md").read_text(encoding="utf-8")
    for (_, method), found in regularisation.gains(rows).items():
        assert {gain.strength for gain in found.values()} <= {*regularisation.STRENGTHS[method]}


def test_stored_features_have_no_tokens_to_drop() -> None:
    arguments = regularisation.parse(["emotion", "--seeds", "1"])
    cells = list(regularisation.cells(arguments))
    assert {c["case"] for c in cells if c["method"] == "token dropout"} == {"last:1"}
    assert {c["method"] for c in cells} == {*regularisation.STRENGTHS}


@pytest.mark.e2e
def test_every_method_is_measured_once(
    toy_backbone: Callable[[str], Path],
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(regularisation, "CASES", {"last:1": ("last:1", "linear", 1)})
    strengths = {name: each[:1] for name, each in regularisation.STRENGTHS.items()}
    monkeypatch.setattr(regularisation, "STRENGTHS", strengths)
    folder = write_set(tmp_path / "films", {"train": toy_reviews(80), "test": toy_reviews(40, 1)})
    found = tmp_path / "found.json"
    words = [f"{folder}=neg,pos", "--backbone", str(toy_backbone("bert")), "--json", str(found)]
    words += ["--rows", "80", "--test-rows", "30", "--max-length", "16", "--cases", "last:1"]
    words += ["--seeds", "1"]
    regularisation.main(words)
    rows = json.loads(found.read_text())
    assert [row["method"] for row in rows] == [*strengths]
    assert all((row["train_rows"], row["test_rows"]) == (72, 30) for row in rows)
    losses = [row["validation_loss"] for row in rows]
    assert len({*losses}) == len(losses)  # each method trains in its own way
    table = capsys.readouterr().out.splitlines()[-len(rows) - 2 :]
    assert table[0] == "| what is trained | method | films |"
    regularisation.main(words)
    assert json.loads(found.read_text()) == rows
