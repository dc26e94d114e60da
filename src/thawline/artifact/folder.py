"""Save a classifier into a folder that appears whole or not at all, find it and load it."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from thawline.artifact.adapted import load_adapted, save_adapted
from thawline.artifact.settings import Settings
from thawline.artifact.whole import load_whole, save_whole
from thawline.backbones.parts import CONFIG, WEIGHTS, describe_read_error
from thawline.backbones.stack import Stack
from thawline.backbones.tokenizer import check_tokenizer, configure_tokenizer
from thawline.errors import ThawlineError
from thawline.inference.fitted import Fitted
from thawline.runs.layout import SETTINGS, find
from thawline.runtime.files import new_folder
from thawline.runtime.hub import quieten_transformers

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def save(fitted: Fitted, folder: Path) -> None:
    """Write a classifier; the folder appears whole or not at all.

    Raises:
        ThawlineError: something is there already.
    """
    if folder.exists():
        raise ThawlineError("a new folder", f"'{folder}', which exists", "choose another --out")
    quieten_transformers()
    with new_folder(folder) as temporary:
        write = save_whole if fitted.adapter is None else save_adapted
        write(fitted, temporary)
        _save_tokenizer(fitted, temporary)
        Settings.of(fitted).write(temporary)


def _save_tokenizer(fitted: Fitted, folder: Path) -> None:
    tokenizer, reading = fitted.tokenizer, fitted.reading
    tokenizer.model_max_length = reading.max_length
    # tokenizer.json is where other readers find the side that is cut off.
    tokenizer.truncation_side = reading.truncation_side
    tokenizer.backend_tokenizer.enable_truncation(
        reading.max_length, direction=reading.truncation_side
    )
    tokenizer.save_pretrained(folder)


def load(path: Path) -> Fitted:
    """Load a classifier from a run's or an artifact's folder, in fp32 and evaluation mode.

    Raises:
        ThawlineError: there is none, parts of it are missing or damaged, or the backbone that its
            adapters belong to is not to be found, or is another by now.
    """
    folder = find(path)
    quieten_transformers()
    parts: tuple[tuple[str, ...], ...] = ()
    try:
        settings = Settings.read(folder)
        tokenizer = _load_tokenizer(folder)
        if settings.adapter is None:
            parts = (CONFIG, WEIGHTS)
            model, adapter = load_whole(folder), None
        else:
            model, adapter = load_adapted(folder, settings, settings.adapter)
        check_tokenizer(str(folder), model.base_model, tokenizer)
        configure_tokenizer(model.base_model, tokenizer)
    except ThawlineError:
        raise
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ThawlineError(
            f"a whole saved classifier in '{folder}'",
            describe_read_error(folder, error, *parts),
            "save it again, or run fit again",
        ) from error
    fitted = Fitted(
        model=model.eval(),
        tokenizer=tokenizer,
        labels=settings.labels,
        reading=settings.reading,
        head=settings.head,
        strategy=settings.strategy,
        backbone=settings.backbone,
        adapter=adapter,
    )
    _check_stages(folder, fitted)
    _check_labels(folder, fitted)
    return fitted


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    # For some families transformers makes up a tokenizer of no words where there is none.
    for name in TOKENIZER:
        if not (folder / name).is_file():
            raise ValueError(f"no {name}")
    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


def _check_stages(folder: Path, fitted: Fitted) -> None:
    """Raise ThawlineError where the head would read stages that the backbone does not have."""
    read, depth = fitted.reading.stages, Stack(fitted.model.base_model).depth
    own = tuple(getattr(fitted.model.config, "stages", read))  # a native head has none
    if own != read or not set(read) <= set(range(depth + 1)):
        raise ThawlineError(
            f"the same stages, from 0 to {depth}, in config.json and {SETTINGS} of '{folder}'",
            f"{', '.join(map(str, own))} and {', '.join(map(str, read))}",
            "run fit again",
        )


def _check_labels(folder: Path, fitted: Fitted) -> None:
    """Raise ThawlineError where transformers would name the classes in another way."""
    names = [name for _, name in sorted(fitted.model.config.id2label.items())]
    if names != list(fitted.labels.names):
        raise ThawlineError(
            f"the same labels in config.json and {SETTINGS} of '{folder}'",
            f"{', '.join(names)} and {', '.join(fitted.labels.names)}",
            "run fit again",
        )
