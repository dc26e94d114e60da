"""Test that artifacts from strangers end in one clear error, whatever their files hold.

Checksums protect against damage and not against a stranger, who can compute them. So most cases
sign the changed artifact again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.artifacts import edit_json, sign, without_checksums
from tests.support.command_line import thawline
from thawline import TextClassifier, artifact
from thawline.backbones.loading import load_backbone
from thawline.errors import ThawlineError
from thawline.runs.settings import read_settings

Backbones = Callable[[str], Path]
Reviews = Callable[..., tuple[list[str], list[int]]]
SETTINGS, CONFIG = "thawline.json", "adapter/adapter_config.json"
WEIGHTS = "adapter/adapter_model.safetensors"
KINDS = {"head": ("head", "linear"), "native": ("head", "native"), "lora": ("lora:r=2", "linear")}


@pytest.fixture(scope="module")
def saved(
    toy_backbone: Backbones, toy_reviews: Reviews, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Path]]:
    """Return a function that returns the folder of an artifact, which tests must copy."""
    folders: dict[str, Path] = {}

    def save(kind: str) -> Path:
        if kind not in folders:
            strategy, head = KINDS[kind]
            base = tmp_path_factory.mktemp("base") / "bert"
            shutil.copytree(toy_backbone("bert"), base)
            classifier = TextClassifier(
                base, strategy, head=head, epochs=1, dtype="float32", labels=("pos", "neg")
            )
            folders[kind] = tmp_path_factory.mktemp(kind) / "model"
            artifact.save(classifier.fit(*toy_reviews(24)).fitted_, folders[kind])
        return folders[kind]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("store")))
        yield save


def refuse(folder: Path, *words: str) -> ThawlineError:
    """Load an artifact, and check that one line names the words."""
    with pytest.raises(ThawlineError) as caught:
        artifact.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 2_000
    for word in words:
        assert word in message
    return caught.value


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


# Values in thawline.json: the key, the value, and what the error names.
VALUES: list[tuple[str, Any]] = [
    ("format", 0),
    ("format", -1),
    ("format", 3),
    ("format", True),
    ("format", "2"),
    ("format", None),
    ("format", 2.0),
    ("labels", None),
    ("labels", []),
    ("labels", "neg"),
    ("labels", {}),
    ("labels.names", "ab"),
    ("labels.names", ["pos"]),
    ("labels.names", []),
    ("labels.names", [1, 2]),
    ("labels.names", ["pos", None]),
    ("labels.names", ["pos", "pos"]),
    ("labels.names", ["pos", ["neg"]]),
    ("labels.names", ["pos", "neg", "more"]),
    ("labels.names", ["pos", "\ud800"]),
    ("labels.values", [0]),
    ("labels.values", [0, 0]),
    ("labels.values", [0, "1"]),
    ("labels.values", [0, 1.5]),
    ("labels.values", [False, True]),
    ("labels.values", [0, {}]),
    ("labels.values", {"0": 1}),
    ("labels.values", ["a", "\udfff"]),
    ("labels.more", 1),
    ("reading", None),
    ("reading", [1]),
    ("reading.max_length", -5),
    ("reading.max_length", 0),
    ("reading.max_length", 2),
    ("reading.max_length", 41),
    ("reading.max_length", 10**9),
    ("reading.max_length", 10**400),
    ("reading.max_length", "64"),
    ("reading.max_length", 1.5),
    ("reading.max_length", True),
    ("reading.max_length", None),
    ("reading.truncation_side", "../.."),
    ("reading.truncation_side", 1),
    ("reading.truncation_side", ["right"]),
    ("reading.pooling", "evil"),
    ("reading.pooling", {}),
    ("reading.pooling", None),
    ("reading.stages", []),
    ("reading.stages", 4),
    ("reading.stages", "4"),
    ("reading.stages", [-1]),
    ("reading.stages", [5]),
    ("reading.stages", [10**9]),
    ("reading.stages", [4, 4]),
    ("reading.stages", [1.0]),
    ("reading.stages", [True]),
    ("reading.stages", [[4]]),
    ("reading.stages", [4] * 100_000),
    ("reading.pairs", "yes"),
    ("reading.pairs", 1),
    ("reading.pairs", None),
    ("reading.colour", "red"),
    ("head", 5),
    ("head", None),
    ("head", ""),
    ("head", "evil"),
    ("head", "mlp:0"),
    ("head", "mlp:-1"),
    ("head", "mlp:99999999999"),
    ("head", "mlp:x"),
    ("head", ["linear"]),
    ("head", "x" * 10_000),
    ("strategy", "evil"),
    ("strategy", ""),
    ("strategy", 1),
    ("strategy", "last:99"),
    ("strategy", "lora:r=2,r=3"),
    ("strategy", "lp+" * 1_000 + "head"),
    ("strategy", "last:" + "9" * 4_000),
    ("backbone", 5),
    ("backbone", ""),
    ("backbone", "a\0b"),
    ("backbone", ["x"]),
    ("sha256", None),
    ("sha256", []),
    ("sha256", {}),
    ("sha256", {"thawline.json": "x"}),
    ("sha256", {"thawline.json": 5}),
    ("sha256.../escape", "0" * 64),
    ("sha256./etc/passwd", "0" * 64),
    ("sha256.adapter/../../x", "0" * 64),
    ("more", 1),
    ("\x1b[31m", 1),
]
ADAPTER_VALUES: list[tuple[str, Any]] = [
    ("adapter", 5),
    ("adapter", []),
    ("adapter", "x"),
    ("adapter", {}),
    ("adapter.base", 5),
    ("adapter.base", ""),
    ("adapter.base", "x" * 5_000),
    ("adapter.base", "x" * 300),
    ("adapter.base", "a\0b"),
    ("adapter.base", "/dev/zero"),
    ("adapter.base", "no/such/base"),
    ("adapter.base", "../../../nothing at all"),
    ("adapter.base_sha256", "x" * 64),
    ("adapter.base_sha256", "0" * 64),
    ("adapter.base_sha256", "0" * 63),
    ("adapter.base_sha256", None),
    ("adapter.head_dropout", -0.1),
    ("adapter.head_dropout", 1.1),
    ("adapter.head_dropout", "0"),
    ("adapter.head_dropout", True),
    ("adapter.head_dropout", float("nan")),
    ("adapter.head_dropout", float("inf")),
    ("adapter.more", 1),
    ("strategy", "head"),
    ("head", "native"),
    ("head", "mlp:1000000"),
    ("labels", {"names": [f"c{i}" for i in range(300_000)], "values": [*range(300_000)]}),
]


def set_value(values: dict[str, Any], key: str, value: Any) -> None:
    table, dot, name = key.partition(".")
    if dot and table in values:
        values[table][name] = value
    else:
        values[key] = value


def name_of(case: tuple[str, Any]) -> str:
    return f"{case[0]}={case[1]!r}"[:40]


class TestSettings:
    @pytest.mark.parametrize(
        ("kind", "key", "value"),
        [("head", *case) for case in VALUES] + [("lora", *case) for case in ADAPTER_VALUES],
        ids=[name_of(case) for case in VALUES + ADAPTER_VALUES],
    )
    def test_value(
        self, saved: Callable[[str], Path], tmp_path: Path, kind: str, key: str, value: Any
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved(kind), folder)
        edit_json(folder / SETTINGS, lambda values: set_value(values, key, value))
        if not key.startswith("sha256"):
            sign(folder)
        named = key.rpartition(".")[2] if key.startswith(("labels", "reading")) else ""
        refuse(folder, str(folder), named)

    @pytest.mark.parametrize("key", ["labels", "reading", "head", "strategy", "backbone", "sha256"])
    def test_missing_key(self, saved: Callable[[str], Path], tmp_path: Path, key: str) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("head"), folder)
        edit_json(folder / SETTINGS, lambda values: values.pop(key))
        refuse(folder, f"'{key}'", str(folder))

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\xff\xfe",
            b"null",
            b"[]",
            b'"format"',
            b"{}",
            b"{",
            b'{"format": 2',
            b'{"format": ' + b"9" * 10_000 + b"}",
            nested(100_000).encode(),
            nested(100_000, '{"a":', "}").encode(),
            b'{"format": 2, "labels": ' + nested(65).encode() + b"}",
            b" " * (16 * 2**20 + 1),
        ],
        ids=range(13),
    )
    def test_content(self, saved: Callable[[str], Path], tmp_path: Path, content: bytes) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("head"), folder)
        (folder / SETTINGS).write_bytes(content)
        refuse(folder, SETTINGS)

    def test_a_huge_file_is_not_read(self, saved: Callable[[str], Path], tmp_path: Path) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("head"), folder)
        os.truncate(folder / SETTINGS, 2**40)  # a sparse file
        refuse(folder, SETTINGS)

    def test_reading_needs_no_pydantic(self, saved: Callable[[str], Path]) -> None:
        assert read_settings(saved("lora"))["format"] == 2
        source = Path(sys.modules["thawline.runs.settings"].__file__ or "").read_text()
        assert "import pydantic" not in source
        assert "from pydantic" not in source


# Values in adapter_config.json. The error names the first key.
ADAPTER_CONFIGS: list[dict[str, Any]] = [
    {"peft_type": "PROMPT_TUNING", "tokenizer_name_or_path": "evil"},
    {"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "TEXT", "num_virtual_tokens": 4},
    {"peft_type": "P_TUNING"},
    {"peft_type": "ADALORA"},
    {"peft_type": "XLORA", "adapters": {"0": "evil"}},
    {"peft_type": "IA3"},
    {"peft_type": None},
    {"peft_type": 5},
    {"peft_type": ["LORA"]},
    {"task_type": "CAUSAL_LM"},
    {"task_type": {}},
    {"r": 0},
    {"r": -1},
    {"r": 3},
    {"r": 33},
    {"r": 100_000_000},
    {"r": 10**400},
    {"r": "2"},
    {"r": 2.0},
    {"r": True},
    {"r": None},
    {"r": float("nan")},
    {"lora_alpha": float("inf")},
    {"lora_alpha": float("-inf")},
    {"lora_alpha": float("nan")},
    {"lora_alpha": 0},
    {"lora_alpha": -1},
    {"lora_alpha": 1e30},
    {"lora_alpha": "32"},
    {"lora_alpha": True},
    {"lora_alpha": None},
    {"lora_dropout": 1},
    {"lora_dropout": -0.5},
    {"lora_dropout": float("nan")},
    {"lora_dropout": "0"},
    {"target_modules": "(a+)+$"},
    {"target_modules": "query"},
    {"target_modules": "all-linear"},
    {"target_modules": None},
    {"target_modules": []},
    {"target_modules": {"query": 1}},
    {"target_modules": ["(a+)+$"]},
    {"target_modules": [".*query"]},
    {"target_modules": ["query", 5]},
    {"target_modules": ["nothing"]},
    {"target_modules": [""]},
    {"target_modules": ["encoder"]},
    {"target_modules": ["word_embeddings"]},
    {"target_modules": ["LayerNorm"]},
    {"target_modules": ["key"]},
    {"target_modules": ["query\n"]},
    {"target_modules": ["query"] * 20_000},
    {"target_modules": ["x" * 1_000_000]},
    {"exclude_modules": "(a+)+$"},
    {"exclude_modules": ["query"]},
    {"layers_to_transform": [0]},
    {"layers_to_transform": 0},
    {"layers_pattern": "(a+)+$"},
    {"layer_replication": [[0, 1], [0, 1_000_000]]},
    {"trainable_token_indices": [1_000_000_000]},
    {"trainable_token_indices": {"embed_tokens": [0]}},
    {"modules_to_save": ["embeddings"]},
    {"rank_pattern": {"(a+)+$": 100_000}},
    {"alpha_pattern": {"query": float("nan")}},
    {"loftq_config": {"loftq_bits": 4}},
    {"init_lora_weights": "pissa"},
    {"init_lora_weights": "eva"},
    {"init_lora_weights": 1},
    {"eva_config": {"rho": 2.0}},
    {"corda_config": {"cache_file": "elsewhere/x"}},
    {"lora_ga_config": {"direction": "x"}},
    {"megatron_config": {"a": 1}},
    {"megatron_core": "evil.module"},
    {"use_dora": True},
    {"use_rslora": "yes"},
    {"use_qalora": True},
    {"use_bdlora": {"a": 1}},
    {"qalora_group_size": 4},
    {"lora_bias": True},
    {"bias": "all"},
    {"fan_in_fan_out": True},
    {"target_parameters": ["x"]},
    {"arrow_config": {"a": 1}},
    {"alora_invocation_tokens": [1]},
    {"runtime_config": {"ephemeral_gpu_offload": True}},
    {"revision": "refs/pr/1"},
    {"ensure_weight_tying": True},
    {"from_a_later_peft": 7},
    {"from_a_later_peft": "evil"},
    {"\x1b[31m": True},
]
ADAPTER_CONTENTS = [
    b"",
    b"[]",
    b"null",
    b"{}",
    b"\xff",
    b'{"peft_type": "LORA"}',
    nested(100_000).encode(),
    nested(100_000, '{"a":', "}").encode(),
    b" " * (4 * 2**20 + 1),
]


class TestAdapterConfig:
    @pytest.mark.parametrize("edit", ADAPTER_CONFIGS, ids=lambda edit: str(edit)[:40])
    def test_value(
        self, saved: Callable[[str], Path], tmp_path: Path, edit: dict[str, Any]
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("lora"), folder)
        edit_json(folder / CONFIG, lambda config: config.update(edit))
        sign(folder)
        key = next(iter(edit))
        refuse(folder, "adapter", key if key.isprintable() else "x1b")

    @pytest.mark.parametrize("content", ADAPTER_CONTENTS, ids=range(len(ADAPTER_CONTENTS)))
    def test_content(self, saved: Callable[[str], Path], tmp_path: Path, content: bytes) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("lora"), folder)
        (folder / CONFIG).write_bytes(content)
        sign(folder)
        refuse(folder, "adapter_config.json")

    def test_ignored_values_change_nothing(
        self, saved: Callable[[str], Path], tmp_path: Path
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("lora"), folder)
        harmless = {
            "auto_mapping": {"base_model_class": "Evil", "parent_library": "evil.module"},
            "base_model_name_or_path": "evil/model",
            "inference_mode": False,
            "peft_version": "99",
            "from_a_later_peft": None,
            "another": [],
            "a_flag": False,
            "task_type": "SEQ_CLS",
        }
        edit_json(folder / CONFIG, lambda config: config.update(harmless))
        sign(folder)
        texts = ["a good film", "a bad film"]
        expected, found = (
            TextClassifier.load(place).predict_proba(texts) for place in (saved("lora"), folder)
        )
        assert (expected == found).all()

    def test_peft_never_reads_the_file(
        self, saved: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from peft import LoraConfig, PeftConfig

        def fail(*_: Any, **__: Any) -> None:
            raise AssertionError

        for kind in (LoraConfig, PeftConfig):
            monkeypatch.setattr(kind, "from_pretrained", fail)
        artifact.load(saved("lora"))
        load_backbone(str(saved("lora")))


FACTOR = "base_model.model.encoder.layer.3.attention.self.query.lora_{}.weight"
WRONG_WEIGHTS: dict[str, tuple[str, str, Callable[[dict[str, torch.Tensor]], Any], str]] = {
    "nan in a factor": (
        "lora",
        WEIGHTS,
        lambda weights: weights[FACTOR.format("A")].fill_(float("nan")),
        "query",
    ),
    "infinity in a factor": (
        "lora",
        WEIGHTS,
        lambda weights: weights[FACTOR.format("B")].view(-1)[3:4].fill_(float("inf")),
        "query",
    ),
    "integers as a factor": (
        "lora",
        WEIGHTS,
        lambda weights: weights.update(
            {FACTOR.format("A"): torch.ones_like(weights[FACTOR.format("A")], dtype=torch.int8)}
        ),
        "I8",
    ),
    "a vector as a factor": (
        "lora",
        WEIGHTS,
        lambda weights: weights.update({FACTOR.format("A"): torch.zeros(64)}),
        "(64,)",
    ),
    "an empty factor": (
        "lora",
        WEIGHTS,
        lambda weights: weights.update({FACTOR.format("A"): torch.zeros(0, 32)}),
        "(0, 32)",
    ),
    "a weight of the base": (
        "lora",
        WEIGHTS,
        lambda weights: weights.update({"base_model.model.pooler.dense.bias": torch.zeros(32)}),
        "pooler.dense.bias",
    ),
    "nan in the head of adapters": (
        "lora",
        "head.safetensors",
        lambda weights: weights["head.0.bias"].fill_(float("nan")),
        "head.0.bias",
    ),
    "a head of one label": (
        "lora",
        "head.safetensors",
        lambda weights: weights.update({"head.0.weight": torch.zeros(1, 32)}),
        "(1, 32)",
    ),
    "nan in the head": (
        "head",
        "model.safetensors",
        lambda weights: weights["head.0.weight"].fill_(float("nan")),
        "head.0.weight",
    ),
    "infinity in the backbone": (
        "head",
        "model.safetensors",
        lambda weights: weights["backbone.encoder.layer.0.output.dense.bias"].fill_(float("-inf")),
        "layer.0.output.dense.bias",
    ),
    "nan in a native head": (
        "native",
        "model.safetensors",
        lambda weights: weights["classifier.bias"].fill_(float("nan")),
        "classifier.bias",
    ),
}


class TestWeights:
    @pytest.mark.parametrize("name", WRONG_WEIGHTS)
    @pytest.mark.parametrize("signed", [True, False])
    def test_wrong_weights(
        self, saved: Callable[[str], Path], tmp_path: Path, name: str, signed: bool
    ) -> None:
        kind, file, edit, word = WRONG_WEIGHTS[name]
        folder = tmp_path / "model"
        shutil.copytree(saved(kind), folder)
        weights = load_file(folder / file)
        edit(weights)
        save_file(weights, folder / file, metadata={"format": "pt"})
        if signed:
            sign(folder)
        refuse(folder, word if signed else file)

    @pytest.mark.parametrize(
        "config",
        [
            {"head": 5},
            {"head": "mlp:1000000"},
            {"head": "evil"},
            {"head": None},
            {"head_dropout": 2},
            {"head_dropout": "x"},
            {"pooling": "evil"},
            {"pooling": 5},
            {"stages": [10**9]},
            {"stages": "4"},
            {"stages": [4] * 10_000},
            {"stages": []},
            {"stages": [0, 1, 2, 3, 4]},
            {"backbone": []},
            {"backbone": "evil"},
            {"backbone": {}},
            {"id2label": "x"},
            {"id2label": {"0": "pos"}},
            {"id2label": {str(index): f"c{index}" for index in range(100_000)}},
            {"num_labels": 10**9},
            {"backbone": {"model_type": "bert", "num_labels": 10**9}},
        ],
        ids=lambda config: str(config)[:40],
    )
    def test_config_of_the_head(
        self, saved: Callable[[str], Path], tmp_path: Path, config: dict[str, Any]
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("head"), folder)
        edit_json(folder / "config.json", lambda values: values.update(config))
        sign(folder)
        refuse(folder)


class TestFiles:
    FILES = (
        ("head", "thawline.json"),
        ("head", "config.json"),
        ("head", "model.safetensors"),
        ("head", "tokenizer.json"),
        ("head", "tokenizer_config.json"),
        ("lora", "head.safetensors"),
        ("lora", WEIGHTS),
        ("lora", CONFIG),
    )

    @pytest.mark.parametrize(("kind", "name"), FILES)
    @pytest.mark.parametrize("earlier", [False, True])
    @pytest.mark.parametrize("how", ["fifo", "folder", "link out", "link to a device", "loop"])
    def test_irregular_file(
        self,
        saved: Callable[[str], Path],
        tmp_path: Path,
        kind: str,
        name: str,
        how: str,
        earlier: bool,
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved(kind), folder)
        if earlier:
            without_checksums(folder)
        file = folder / name
        file.rename(tmp_path / "moved")
        if how == "fifo":
            os.mkfifo(file)
        elif how == "folder":
            file.mkdir()
        else:
            target = {"link out": tmp_path / "moved", "loop": file}.get(how, Path("/dev/zero"))
            file.symlink_to(target)
        refuse(folder, str(folder))

    @pytest.mark.parametrize("name", ["adapter_config.json", "additional_chat_templates"])
    @pytest.mark.parametrize("earlier", [False, True])
    def test_file_that_changes_what_transformers_loads(
        self, saved: Callable[[str], Path], tmp_path: Path, name: str, earlier: bool
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("head"), folder)
        if earlier:
            without_checksums(folder)
        (folder / name).write_text('{"base_model_name_or_path": "evil"}')
        refuse(folder, name)

    @pytest.mark.parametrize("name", ["added_tokens.json", "vocab.txt", "generation_config.json"])
    def test_file_without_a_checksum(
        self, saved: Callable[[str], Path], tmp_path: Path, name: str
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("head"), folder)
        (folder / name).write_text("{}")
        refuse(folder, name)

    def test_files_of_the_user_are_ignored(
        self, saved: Callable[[str], Path], tmp_path: Path
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved("head"), folder)
        for name in ("README.md", ".gitattributes", "notes.json", "modeling.py"):
            (folder / name).write_text("mine")
        assert artifact.load(folder).labels.names == ("pos", "neg")

    def test_links_of_the_hub_cache_are_followed(
        self, saved: Callable[[str], Path], tmp_path: Path
    ) -> None:
        blobs = tmp_path / "models--me--topics" / "blobs"
        folder = tmp_path / "models--me--topics" / "snapshots" / "abc"
        shutil.copytree(saved("head"), blobs)
        folder.mkdir(parents=True)
        for file in blobs.iterdir():
            (folder / file.name).symlink_to(Path("../../blobs") / file.name)
        assert artifact.load(folder).labels.names == ("pos", "neg")

    @pytest.mark.parametrize("kind", ["head", "lora"])
    def test_every_changed_byte_is_noticed(
        self, saved: Callable[[str], Path], tmp_path: Path, kind: str
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved(kind), folder)
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = file.read_bytes()
            for place in range(0, len(content), max(1, len(content) // 25)):
                changed = bytearray(content)
                changed[place] ^= 1 << place % 8
                file.write_bytes(changed)
                error = refuse(folder)
                assert file.name in str(error) or file.name == SETTINGS
            file.write_bytes(content)
        artifact.load(folder)

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_artifact_of_format_1_still_loads(
        self, saved: Callable[[str], Path], tmp_path: Path, kind: str
    ) -> None:
        folder = tmp_path / "model"
        shutil.copytree(saved(kind), folder)
        without_checksums(folder)
        assert artifact.load(folder).labels.names == ("pos", "neg")
        edit_json(folder / SETTINGS, lambda values: values["reading"].pop("pairs"))
        assert not artifact.load(folder).reading.pairs


class TestBases:
    def chain(self, saved: Path, folder: Path, length: int, last: Path) -> list[Path]:
        """Copy an artifact, so that each copy names the next one as its base."""
        places = [folder / f"chain-{index}" for index in range(length)]
        for place, base in zip(places, [*places[1:], last], strict=True):
            shutil.copytree(saved, place)
            edit_json(
                place / SETTINGS, lambda values, base=base: values["adapter"].update(base=str(base))
            )
        return places

    @pytest.mark.parametrize("length", [1, 2, 5])
    def test_cycle(self, saved: Callable[[str], Path], tmp_path: Path, length: int) -> None:
        first = self.chain(saved("lora"), tmp_path, length, tmp_path / "chain-0")[0]
        refuse(first, str(first), "thawline.json")
        with pytest.raises(ThawlineError):
            load_backbone(str(first))

    def test_run_that_is_its_own_base(self, saved: Callable[[str], Path], tmp_path: Path) -> None:
        run = tmp_path / "run"
        shutil.copytree(saved("lora"), run / "model")
        edit_json(run / "model" / SETTINGS, lambda values: values["adapter"].update(base=str(run)))
        refuse(run, str(run))

    def test_long_chain(self, saved: Callable[[str], Path], tmp_path: Path) -> None:
        first = self.chain(saved("lora"), tmp_path, 50, tmp_path / "nothing")[0]
        refuse(first, str(first), "8")

    def test_relative_base_is_saved_absolute(
        self, toy_backbone: Backbones, toy_reviews: Reviews, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(toy_backbone("bert"), "mini")
        home = Path.cwd()
        classifier = TextClassifier("mini", "lora:r=2", epochs=1, dtype="float32")
        classifier.fit(*toy_reviews(24))
        Path("elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        artifact.save(classifier.fitted_, Path("saved"))
        values = json.loads(Path("saved", SETTINGS).read_text())
        assert values["adapter"]["base"] == values["backbone"] == str(home / "mini")
        assert len(TextClassifier.load("saved").predict(["x"])) == 1
        again = home / "elsewhere" / "saved"
        monkeypatch.chdir("/")
        assert len(TextClassifier.load(again).predict(["x"])) == 1


@pytest.mark.e2e
class TestProcesses:
    MODULES = (
        "token", "json", "types", "random", "queue", "tokenizers", "torch", "thawline", "numpy",
        "sitecustomize", "usercustomize", "encodings", "site", "runpy", "transformers", "typing",
    )  # fmt: skip

    def test_files_of_the_working_folder_are_not_run(self, saved: Callable[[str], Path]) -> None:
        for name in self.MODULES:
            Path(f"{name}.py").write_text(f"open('was_run_{name}', 'w')\nraise SystemExit(3)\n")
        fitted = artifact.load(saved("lora"))
        with artifact.Prover("cpu") as prover:
            assert prover.prove(fitted, saved("lora"), ["a text"]) <= artifact.TOLERANCE
        assert not [*Path().glob("was_run_*")]

    @pytest.mark.parametrize(
        ("kind", "edit"),
        [
            ("head", (SETTINGS, {"head": 5})),
            ("lora", (CONFIG, {"peft_type": "PROMPT_TUNING", "tokenizer_name_or_path": "."})),
            ("lora", (CONFIG, {"target_modules": "(a+)+$"})),
            ("lora", (CONFIG, {"r": 100_000_000})),
        ],
    )
    def test_command_line(
        self, saved: Callable[[str], Path], kind: str, edit: tuple[str, dict[str, Any]]
    ) -> None:
        shutil.copytree(saved(kind), "model")
        edit_json(Path("model", edit[0]), lambda values: values.update(edit[1]))
        sign(Path("model"))
        for done in (
            thawline("predict", "model", "a text"),
            thawline("predict", "model", stdin="y\n"),
        ):
            assert done.code == 2
            assert len(done.err.strip().splitlines()) == 1
            assert "Traceback" not in done.err
