"""Check config.json and generation_config.json."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from transformers import AutoConfig

from thawline.backbones.families import family_of
from thawline.backbones.parts import incomplete
from thawline.backbones.pooling import POOLINGS
from thawline.backbones.untrusted.tokenizer import check_class
from thawline.backbones.untrusted.values import JsonFile
from thawline.errors import ThawlineError
from thawline.runs.layout import MODEL_TYPE
from thawline.runtime.json_values import MAX_ID, is_number

FORBIDDEN = (
    "auto_map",
    "quantization_config",
    "compression_config",
    "transformers_weights",
    "fusion_config",
    "per_layer_config",
    "distributed_config",
    "experts_implementation",
    "_experts_implementation",
    "gguf_file",
    "trust_remote_code",
    "use_kernels",
)
"""Keys that make transformers run other code, import other packages or read other files."""

ATTENTION = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")
"""Keys that choose the code of attention. Other values than torch's own import packages."""

FIXED: dict[str, Any] = {
    "is_decoder": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
    "return_dict": True,
    "chunk_size_feed_forward": 0,
    "pruned_heads": {},
}
"""Keys that change how a model is called. Only the usual value is accepted."""

MAX_LAYERS = 512
"""The largest number of blocks. Building a block takes milliseconds, even without weights."""

_COUNT, _SIZE = (1, 1_024), (1, 2**18)
RANGES = {
    "vocab_size": (1, MAX_ID),
    "max_position_embeddings": (1, MAX_ID),
    "hidden_size": _SIZE,
    "dim": _SIZE,
    "intermediate_size": (1, 2**20),
    "hidden_dim": (1, 2**20),
    "vector_size": _SIZE,
    "embedding_size": _SIZE,
    "num_hidden_layers": (1, MAX_LAYERS),
    "n_layers": (1, MAX_LAYERS),
    "num_attention_heads": _COUNT,
    "n_heads": _COUNT,
    "num_key_value_heads": _COUNT,
    "head_dim": (1, 8_192),
    "type_vocab_size": _COUNT,
    "local_attention": (2, MAX_ID),
    "global_attn_every_n_layers": (1, MAX_ID),
    "sliding_window": (1, MAX_ID),
    "max_window_layers": (0, MAX_ID),
    "original_max_position_embeddings": (1, MAX_ID),
    "num_labels": (1, MAX_ID),
}
"""Keys of whole numbers, with the smallest and the largest value."""

_NUMBERS = (
    (re.compile(r".*_eps"), (1e-30, 1.0)),
    (re.compile(r".*drop.*(prob|out|rate)?"), (0.0, 1.0)),
    (re.compile(r"initializer_range|.*_factor"), (0.0, 1e6)),
    (re.compile(r".*rope_theta"), (1e-3, 1e15)),
)
"""Patterns of keys of numbers, with the smallest and the largest value."""

DTYPES = ("float32", "float16", "bfloat16", "float64")
LAYER_TYPES = ("full_attention", "sliding_attention")
LAYER_ALIASES = ("attention", "local_attention", "global_attention")

KNOWN = (
    "model_type",
    "num_labels",
    "name_or_path",
    "output_attentions",
    "rope_scaling",
    "sliding_window",
    "rope_theta",
    "torch_dtype",
)
"""Names of attributes of a config class that may also be keys of a config.json."""


@dataclass(frozen=True)
class CheckedConfig:
    """A config that passed the checks.

    Attributes:
        values: The values of config.json.
        rows: Number of rows of the embeddings.
    """

    values: dict[str, Any]
    rows: int


def check_config(file: JsonFile) -> CheckedConfig:
    """Check the values of a config.json.

    Args:
        file: The file.

    Raises:
        ThawlineError: If the family is unknown, or if a value has the wrong type, is out of range,
            or would make transformers run other code or read other files.
    """
    values = file.value
    if values.get("auto_map") is not None:
        code = "a model that needs its own Python code, which is never run"
        raise incomplete(file.path.parent, f"auto_map in '{file.path}', {code}")
    if values.get("model_type") == MODEL_TYPE:
        return CheckedConfig(values, _check_own(file))
    return CheckedConfig(values, _check_base(file, values, ""))


def _check_own(file: JsonFile) -> int:
    """Check the config of a complete model with a head of Thawline, and return its rows."""
    values = file.value
    base = file.mapping("backbone", values.get("backbone"), 1_000)
    rows = _check_base(file, base, "backbone.")
    _check_tree(file, {key: value for key, value in values.items() if key != "backbone"}, "")
    _check_labels(file, values, "")
    file.text("head", values.get("head", "linear"), 100)
    file.number("head_dropout", values.get("head_dropout", 0.0), 0, 1)
    file.one_of("pooling", values.get("pooling", "mean"), POOLINGS)
    stages = file.items("stages", values.get("stages", []), MAX_LAYERS + 1)
    for stage in stages:
        file.whole("stages", stage, 0, MAX_LAYERS)
    for key in ("dtype", "torch_dtype"):
        if values.get(key) is not None:
            _check_dtype(file, key, values[key])
    _check_fixed(file, values, "")
    return rows


def _check_base(file: JsonFile, values: dict[str, Any], prefix: str) -> int:
    """Check the config of a base model, and return the number of rows of its embeddings."""
    model_type = values.get("model_type")
    if model_type is None:
        raise _damaged_type(file, prefix)
    if not isinstance(model_type, str) or model_type == MODEL_TYPE:
        file.refuse(f"{prefix}model_type", "the name of a family", model_type)
    family_of(SimpleNamespace(model_type=model_type))
    config_class = type(AutoConfig.for_model(model_type))
    defaults = _defaults(config_class)
    _check_tree(file, values, prefix)
    _check_fixed(file, values, prefix)
    _check_labels(file, values, prefix)
    check_class(file, f"{prefix}tokenizer_class", values.get("tokenizer_class"))
    for key, value in values.items():
        name = f"{prefix}{key}"
        if key not in defaults and key not in KNOWN and key not in ATTENTION:
            if hasattr(config_class, key) and key not in config_class.attribute_map:
                file.forbid(name, value)
            continue
        _check_field(file, name, key, value, defaults.get(key))
    get = _Values(values, defaults, config_class.attribute_map)
    rows = get("vocab_size") or MAX_ID
    _check_ids(file, values, prefix, rows)
    _check_shape(file, get, prefix)
    return int(rows)


def _damaged_type(file: JsonFile, prefix: str) -> ThawlineError:
    return ThawlineError(
        f"the name of a family as {prefix}model_type in '{file.path}'",
        "none",
        "use the config.json that belongs to this model",
    )


@dataclass(frozen=True)
class _Values:
    """The values of a config, or the defaults of its class."""

    values: dict[str, Any]
    defaults: dict[str, Any]
    aliases: dict[str, str]

    def __call__(self, key: str) -> Any:
        for name in (key, self.aliases.get(key, key)):
            if self.values.get(name) is not None:
                return self.values[name]
        return self.defaults.get(self.aliases.get(key, key))


def _defaults(config_class: type) -> dict[str, Any]:
    """Return the default of each key that a config class declares. None if it has none."""
    found = {field.name: field.default for field in dataclasses.fields(config_class)}
    if "__init__" in vars(config_class):
        parameters = inspect.signature(config_class).parameters.values()
        found |= {parameter.name: parameter.default for parameter in parameters}
    return {
        name: default if isinstance(default, bool | int | float | str) else None
        for name, default in found.items()
    }


def _check_tree(file: JsonFile, values: dict[str, Any], prefix: str) -> None:
    """Refuse forbidden keys and numbers that are not finite, at every depth."""
    for name, key, value in _walk(values, prefix):
        if isinstance(value, float) and not is_number(value):
            file.refuse(name, "a finite number", value)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            file.refuse(name, "a number of at most 64 bits", value)
        if key in FORBIDDEN and value is not None:
            file.forbid(name, value)
        if key in ATTENTION:
            file.one_of(name, value, ("eager", "sdpa", None))


def _walk(value: object, name: str) -> Iterator[tuple[str, str, Any]]:
    """Yield the dotted name, the key and the value of each entry, without the names of labels."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{name}{key}", key, inner
            if key not in ("id2label", "label2id"):
                yield from _walk(inner, f"{name}{key}.")
    elif isinstance(value, list):
        for inner in value:
            yield name.removesuffix("."), "", inner
            yield from _walk(inner, name)


def _check_fixed(file: JsonFile, values: dict[str, Any], prefix: str) -> None:
    for key, usual in FIXED.items():
        value = values.get(key)
        if value is not None and (value != usual or type(value) is not type(usual)):
            file.refuse(f"{prefix}{key}", f"{usual!r}", value)


def _check_labels(file: JsonFile, values: dict[str, Any], prefix: str) -> None:
    names = values.get("id2label")
    if names is not None:
        for number, label in file.mapping(f"{prefix}id2label", names).items():
            if not re.fullmatch(r"[0-9]{1,8}", number):
                file.refuse(f"{prefix}id2label", "an object whose keys are whole numbers", number)
            file.text(f"{prefix}id2label.{number}", label, 2**20)
    numbers = values.get("label2id")
    if numbers is not None:
        for number in file.mapping(f"{prefix}label2id", numbers).values():
            if not (isinstance(number, str) and re.fullmatch(r"[0-9]{1,8}", number)):
                file.whole(f"{prefix}label2id", number, 0)
    count = values.get("num_labels")
    if count is not None:
        file.whole(f"{prefix}num_labels", count, 1)
    file.one_of(
        f"{prefix}problem_type",
        values.get("problem_type"),
        (None, "regression", "single_label_classification", "multi_label_classification"),
    )


def _check_field(file: JsonFile, name: str, key: str, value: object, default: object) -> None:
    """Check one value by its key, or else by the type of the default."""
    if value is None or key in FIXED or key in ATTENTION:
        return
    numbers = next((limits for keys, limits in _NUMBERS if keys.fullmatch(key)), None)
    if key in RANGES:
        file.whole(name, value, *RANGES[key])
    elif key in ("dtype", "torch_dtype"):
        _check_dtype(file, name, value)
    elif key == "layer_types":
        for kind in file.items(name, value, MAX_LAYERS):
            file.one_of(name, kind, (*LAYER_TYPES, *LAYER_ALIASES))
    elif key in ("rope_parameters", "rope_scaling"):
        _check_rope(file, name, value)
    elif key == "architectures":
        for architecture in file.items(name, value, 100):
            file.text(name, architecture)
    elif numbers is not None and not isinstance(default, bool):
        file.number(name, value, *numbers)
    elif isinstance(default, bool):
        file.boolean(name, value)
    elif isinstance(default, int) and not key.endswith("_token_id"):
        file.whole(name, value, -MAX_ID)
    elif isinstance(default, float):
        file.number(name, value, -1e30, 1e30)
    elif isinstance(default, str):
        file.text(name, value)


def _check_dtype(file: JsonFile, name: str, value: object) -> None:
    file.one_of(name, value.removeprefix("torch.") if isinstance(value, str) else value, DTYPES)


def _check_rope(file: JsonFile, name: str, value: object) -> None:
    """Check the parameters of rotary positions, or those of each type of layer."""
    for key, inner in file.mapping(name, value, 32).items():
        inner_name = f"{name}.{key}"
        if isinstance(inner, dict):
            if name.endswith(LAYER_TYPES):
                file.refuse(inner_name, "a number or a name", inner)
            _check_rope(file, inner_name, inner)
        elif isinstance(inner, list):
            for number in file.items(inner_name, inner, 4_096):
                file.number(inner_name, number, 1e-6, 1e6)
        elif key in ("rope_type", "type"):
            file.one_of(
                inner_name, inner, ("default", "linear", "dynamic", "yarn", "longrope", "llama3")
            )
        elif key == "original_max_position_embeddings":
            file.whole(inner_name, inner, 1)
        elif inner is not None and not isinstance(inner, bool):
            file.number(inner_name, inner, 1e-6, 1e15)


def _check_ids(file: JsonFile, values: dict[str, Any], prefix: str, rows: int) -> None:
    for key, value in values.items():
        if not key.endswith("_token_id") or value is None:
            continue
        ids = value if isinstance(value, list) and len(value) <= 1_000 else [value]
        for token in ids:
            # Some Llama checkpoints have the pad id -1, which stands for the last row.
            file.whole(f"{prefix}{key}", token, -(key == "pad_token_id"), rows - 1)


def _check_shape(file: JsonFile, get: _Values, prefix: str) -> None:
    """Check that sizes divide each other and that the list of layer types has the right length."""
    width, heads, layers = map(get, ("hidden_size", "num_attention_heads", "num_hidden_layers"))
    head_dim, groups = get("head_dim"), get("num_key_value_heads")
    if width and heads and head_dim is None and width % heads:
        file.refuse(f"{prefix}hidden_size", f"a multiple of the {heads} attention heads", width)
    if heads and groups and "num_key_value_heads" in get.values and heads % groups:
        file.refuse(f"{prefix}num_key_value_heads", f"a divisor of {heads}", groups)
    if head_dim is not None and head_dim % 2:
        file.refuse(f"{prefix}head_dim", "an even number", head_dim)
    kinds = get.values.get("layer_types")
    if kinds is not None and layers and len(kinds) != layers:
        file.refuse(f"{prefix}layer_types", f"a list of {layers} items", kinds)


def check_generation_config(file: JsonFile, rows: int | None) -> None:
    """Check the values of a generation_config.json.

    `generate` sets all options itself and takes only the ids of special tokens from this file.

    Args:
        file: The file.
        rows: Number of rows of the embeddings. None if it is not known.

    Raises:
        ThawlineError: If an id does not exist, or if a value would run other code.
    """
    _check_tree(file, file.value, "")
    _check_ids(file, file.value, "", MAX_ID if rows is None else rows)
    for key, value in file.value.items():
        if isinstance(value, dict):
            file.refuse(key, "a number, a name or a list", value)
        if isinstance(value, str):
            file.text(key, value)
