"""The whole of a pretraining: texts in; a language model, its tokenizer and a record out."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3ForCausalLM

from thawline.config import CPU_WINDOWS, WORTH_COMPILING, PretrainConfig, PretrainingConfig
from thawline.config.resolve import check_config
from thawline.errors import ThawlineError
from thawline.pretraining.corpus import Corpus, n_bytes, read_corpus
from thawline.pretraining.model import NextToken, check_architecture, new_model
from thawline.pretraining.objective import LanguageModelling
from thawline.pretraining.packing import (
    Windows,
    all_windows,
    check_windows,
    open_tokens,
    pack,
)
from thawline.pretraining.saving import card_of, save_model, save_tokenizer
from thawline.pretraining.vocabulary import as_read, train_tokenizer
from thawline.report.history import draw_history
from thawline.runs.folder import PRETRAIN, Run, check_folder, is_run
from thawline.runs.layout import read_whole_record
from thawline.runtime import devices, failures, hardware
from thawline.runtime.progress import Reporter
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.loop import Row, train

MODEL, TOKENIZER, CHECKPOINTS = "model", "tokenizer", "checkpoints"
"""Folders within a run's; the newest checkpoint is the last state, the model the best."""

TRAIN, HELD_OUT = "train.npy", "held_out.npy"
"""The tokens, within a run's folder."""


def pretrain_run(
    config: PretrainConfig, folder: Path, reporter: Reporter, *, resume: bool = False
) -> dict[str, Any]:
    """Read, learn a vocabulary, train, save; return the record, which is on disk as well.

    Args:
        config: the settings.
        folder: of the run.
        reporter: told of progress.
        resume: whether to go on with the run that may be there. It ends at the very same weights
            as a run that was not stopped, on the same machine and with the same versions.

    Raises:
        ThawlineError: the input cannot work.
    """
    start = time.perf_counter()
    begun = read_whole_record(folder) if resume and is_run(folder) else None
    if begun is None:
        check_folder(folder)
    elif begun.get("status") == "finished":
        reporter.message(f"the run in '{folder}' is finished: nothing is left to do")
        return begun
    check_config(config)
    check_architecture(config.architecture)
    device = devices.pick_device(config.device)
    devices.pick_dtype(config.dtype, device)
    corpus = read_corpus(config.corpus)
    digest = corpus.digest()
    known = {} if begun is None else begun.get("corpus", {})
    if known.get("sha256", digest) != digest:
        raise ThawlineError(
            f"the texts that the run in '{folder}' was begun with",
            "other texts",
            "choose another --out, which starts a new run",
        )
    for line in (*corpus.sources, *corpus.warnings, said(corpus)):
        reporter.message(line)
    # All that the texts may be too few for comes before the folder, which a mistake leaves unmade.
    seconds = dict[str, float]()
    tokenizer = _tokenizer(config, corpus, folder, seconds, reporter)
    check_windows(corpus.train, tokenizer, config.training)
    run = Run(folder, config, verb=PRETRAIN, resume=resume)
    run.record["corpus"] = {
        "sha256": digest,
        "sources": list(corpus.sources),
        "counts": corpus.counts,
        "train": {"texts": len(corpus.train)},
        "held_out": {"texts": len(corpus.held_out)},
    }
    with run.told(reporter):
        if not (folder / TOKENIZER).is_dir():
            save_tokenizer(tokenizer, folder / TOKENIZER)
        run.record |= _pretrain(config, corpus, device, run, seconds, reporter)
        run.record["seconds"]["total"] = time.perf_counter() - start
    return run.record


def said(corpus: Corpus) -> str:
    """Return in one line what became of the texts that were read."""
    counts = corpus.counts
    return (
        f"{counts['train']:,} texts to learn from, {counts['held_out']:,} held out; "
        f"{counts['copies']:,} copies read once, {counts['left_out']:,} left out"
    )


def _pretrain(
    config: PretrainConfig,
    corpus: Corpus,
    device: str,
    run: Run,
    seconds: dict[str, float],
    reporter: Reporter,
) -> dict[str, Any]:
    folder = run.folder
    # As it is on disk, whether it was learnt now or before.
    tokenizer: PreTrainedTokenizerFast = AutoTokenizer.from_pretrained(folder / TOKENIZER)
    held_out_bytes = n_bytes(as_read(tokenizer, text) for text in corpus.held_out)
    train_bytes = n_bytes(as_read(tokenizer, text) for text in corpus.train)
    run.record["corpus"]["train"]["bytes"] = train_bytes
    run.record["corpus"]["held_out"]["bytes"] = held_out_bytes
    _pack(corpus, tokenizer, folder, seconds, reporter)
    tokens, held_out = open_tokens(folder / TRAIN), open_tokens(folder / HELD_OUT)
    run.record["tokenizer"] = {
        "size": len(tokenizer),
        "train_tokens": len(tokens),
        "held_out_tokens": len(held_out),
        "tokens_per_text": len(tokens) / len(corpus.train) - 1,  # eos is not read
        "bytes_per_token": train_bytes / len(tokens),
    }
    training = config.training
    windows = Windows(tokens, training.window)
    model = new_model(config.architecture, tokenizer, training.window, config.seed).to(device)
    module = NextToken(
        model,
        low=devices.pick_dtype(config.dtype, device) == "bfloat16",
        compiled=_compiles(training, device, len(tokens)),
    )
    objective = LanguageModelling(
        module,
        windows,
        all_windows(held_out, training.window, module.pad_id),
        held_out_bytes,
        training,
        per_pass=_per_pass(training, device),
        seed=config.seed,
    )
    start = time.perf_counter()
    history = train(
        objective,
        training,
        epochs=training.epochs,
        lr=training.lr,
        device=device,
        reporter=reporter,
        checkpoints=CheckpointFolder(folder / CHECKPOINTS),
    )
    seconds["training"] = sum(row["seconds"] or 0.0 for row in history)
    seconds["last_leg"] = time.perf_counter() - start
    record = run.record | _measured(history, objective, model, config, seconds, device)
    save_model(model, tokenizer, folder / MODEL, card_of(record))
    saved = Qwen3ForCausalLM.from_pretrained(folder / MODEL, dtype=torch.float32)
    model.load_state_dict(saved.state_dict())
    with torch.inference_mode():
        record["saved"] = objective.evaluate()
    title = f"{folder.name}: {model.num_parameters():,} parameters"
    with failures.system_errors(folder):
        plots = draw_history(history, folder, title=title, accuracy="Next token foretold")
    record["plots"] = [str(path) for path in plots]
    return record


def _tokenizer(
    config: PretrainConfig,
    corpus: Corpus,
    folder: Path,
    seconds: dict[str, float],
    reporter: Reporter,
) -> PreTrainedTokenizerFast:
    """Return the run's tokenizer, which is read where it is on disk, and learnt where it is not."""
    start = time.perf_counter()
    found: PreTrainedTokenizerFast
    if (folder / TOKENIZER).is_dir():
        found = AutoTokenizer.from_pretrained(folder / TOKENIZER)
    else:
        reporter.message(f"learning a vocabulary of {config.vocabulary.size:,} tokens")
        found = train_tokenizer(corpus.train, config.vocabulary, config.training.window)
    seconds["vocabulary"] = time.perf_counter() - start
    return found


def _pack(
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    seconds: dict[str, float],
    reporter: Reporter,
) -> None:
    """Write the tokens that are not on disk yet."""
    start = time.perf_counter()
    for name, texts in ((TRAIN, corpus.train), (HELD_OUT, corpus.held_out)):
        if not (folder / name).is_file():
            pack(texts, tokenizer, folder / name, reporter)
    seconds["tokenising"] = time.perf_counter() - start


def _per_pass(training: PretrainingConfig, device: str) -> int:
    """Return the most windows, up to those wanted, that divide a step evenly."""
    wanted = training.windows_per_pass
    if wanted is None:
        wanted = CPU_WINDOWS if device == "cpu" else training.batch_size
    most = min(wanted, training.batch_size)
    return max(n for n in range(1, most + 1) if training.batch_size % n == 0)


def _compiles(training: PretrainingConfig, device: str, tokens: int) -> bool:
    if training.compile != "auto":
        return training.compile == "on"
    if device == "cpu":
        has_compiler = any(map(shutil.which, ("c++", "g++", "clang++")))
        return has_compiler and tokens * training.epochs >= WORTH_COMPILING
    return device == "cuda"


def _measured(
    history: list[Row],
    objective: LanguageModelling,
    model: Qwen3ForCausalLM,
    config: PretrainConfig,
    seconds: dict[str, float],
    device: str,
) -> dict[str, Any]:
    """Return what a finished training says in its record."""
    training = config.training
    steps = history[-1]["step"]
    tokens = steps * training.batch_size * training.window
    blocks = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if "embed_tokens" not in name
    )
    return {
        "device": device,
        "dtype": devices.pick_dtype(config.dtype, device),
        "parameters": model.num_parameters(),
        "block_parameters": blocks,
        "steps": steps,
        "steps_per_epoch": objective.steps_per_epoch,
        "tokens": tokens,
        "tokens_per_second": tokens / seconds["training"] if seconds["training"] else math.nan,
        "history": history,
        "kept": next(row for row in history if row["kept"]),
        "seconds": seconds,
        "peak_memory_bytes": hardware.peak_memory_bytes(),
    }
