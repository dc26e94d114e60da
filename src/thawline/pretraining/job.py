"""Run the job of `thawline pretrain`: train a tokenizer and a language model on texts."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from thawline.backbones.language import load_language_model
from thawline.backbones.parts import TOKENIZER as TOKENIZER_FILES
from thawline.backbones.reading import explain_read_errors
from thawline.backbones.tokenizer import load_tokenizer
from thawline.backbones.untrusted import check_model_files
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
    is_packed,
    open_tokens,
    pack,
)
from thawline.pretraining.saving import card_of, save_model, save_tokenizer
from thawline.pretraining.vocabulary import as_read, train_tokenizer
from thawline.report.history import draw_history
from thawline.runs.folder import PRETRAIN, check_still_exists
from thawline.runs.opening import OpenRun, open_run
from thawline.runs.records import (
    CorpusPart,
    CorpusReference,
    LanguageScores,
    PretrainEpoch,
    PretrainPlan,
    PretrainRecord,
    PretrainResults,
    PretrainSeconds,
    PretrainTraining,
    RunRecord,
    StartedPretraining,
    TextCounts,
    TokenizerSummary,
)
from thawline.runtime import devices, failures, hardware
from thawline.runtime.paths import expand
from thawline.runtime.progress import Reporter
from thawline.training.checkpoints import CheckpointFolder
from thawline.training.effects import check_loop, check_patience, check_rate
from thawline.training.loop import train

MODEL, TOKENIZER, CHECKPOINTS = "model", "tokenizer", "checkpoints"
"""Folders within a run's folder. ``model`` has the best weights, ``checkpoints`` the last state."""

TRAIN, HELD_OUT = "train.npy", "held_out.npy"
"""Files within a run's folder that contain the tokens of the texts."""


@dataclass(frozen=True)
class _Job:
    """A pretraining with checked settings and texts.

    Attributes:
        config: The settings.
        folder: The folder of the run, as an absolute path.
        corpus: The texts.
        device: ``cuda``, ``mps`` or ``cpu``.
        started: The record of the run before training.
    """

    config: PretrainConfig
    folder: Path
    corpus: Corpus
    device: str
    started: StartedPretraining


def pretrain_run(
    config: PretrainConfig,
    folder: Path | str,
    reporter: Reporter | None = None,
    *,
    resume: bool = False,
) -> PretrainRecord:
    """Read texts, train a tokenizer and a language model, and save them.

    Args:
        config: The settings.
        folder: The folder of the run.
        reporter: Shows progress and warnings. If None, nothing is shown.
        resume: Whether to resume the run in the folder, if one exists. A resumed run ends with the
            same weights as an uninterrupted one, on the same machine with the same versions.

    Returns:
        The record of the run, which is also written to its folder.

    Raises:
        ThawlineError: If a setting is invalid or the texts cannot be used.
    """
    folder = expand(folder)
    reporter = Reporter() if reporter is None else reporter
    with open_run(folder, PRETRAIN, config, reporter, resume=resume) as run:
        if isinstance(run.before, PretrainRecord) and run.is_complete(
            _find_damage(run.before, folder)
        ):
            return run.before
        check_config(config)
        check_architecture(config.architecture)
        check_patience(config.training)
        check_loop(config.training)
        is_default = config.training.lr == PretrainingConfig.lr
        check_rate(config.training, is_default=is_default)
        device = devices.pick_device(config.device)
        devices.pick_dtype(config.dtype, device)
        corpus = read_corpus(config.corpus)
        described = _describe(corpus)
        _check_same_texts(run.before, described, folder)
        for line in (*corpus.sources, *corpus.warnings, describe_counts(corpus)):
            reporter.message(line)
        # Check that the texts suffice before the folder is made, so that an error leaves no folder.
        seconds = dict[str, float]()
        tokenizer = _load_or_train_tokenizer(config, corpus, folder, seconds, reporter)
        check_windows(corpus.train, tokenizer, config.training)
        with run.started(StartedPretraining, described) as started:
            if _read_tokenizer(folder) is None:
                save_tokenizer(tokenizer, folder / TOKENIZER)
            job = _Job(config, folder.absolute(), corpus, device, started)
            sections = _pretrain(job, seconds, run, reporter)
            return run.finish(PretrainRecord, started, *sections)


def _find_damage(record: PretrainRecord, folder: Path) -> str | None:
    """Return what is damaged in the folder of a finished run. None if it is complete.

    Plots that are missing are not damage, because a user may delete them.
    """
    for name in (Path(plot).name for plot in record.plots):
        if (folder / name).is_file() and (folder / name).stat().st_size == 0:
            return f"{name} is empty"
    try:
        load_language_model(str(folder / MODEL))
    except ThawlineError as error:
        return f"its model cannot be loaded: {error.found}"
    return None


def _check_same_texts(before: RunRecord | None, plan: PretrainPlan, folder: Path) -> None:
    """Raise ThawlineError if a run is resumed with other texts than it was started with."""
    if isinstance(before, PretrainPlan) and before.corpus.sha256 != plan.corpus.sha256:
        raise ThawlineError(
            f"the texts that the run in '{folder}' was started with",
            "other texts",
            "choose another folder, which starts a new run",
        )


def _describe(corpus: Corpus) -> PretrainPlan:
    """Return the part of the record that is known before anything is computed."""
    return PretrainPlan(
        corpus=CorpusReference(
            sha256=corpus.digest(),
            sources=list(corpus.sources),
            counts=TextCounts(**corpus.counts),
            train=CorpusPart(texts=len(corpus.train)),
            held_out=CorpusPart(texts=len(corpus.held_out)),
        )
    )


def describe_counts(corpus: Corpus) -> str:
    """Return one line with the numbers of texts that are used and left out."""
    counts = corpus.counts
    return (
        f"{counts['train']:,} texts to train on, {counts['held_out']:,} held out; "
        f"{counts['copies']:,} duplicates dropped, {counts['left_out']:,} left out"
    )


def _pretrain(
    job: _Job, seconds: dict[str, float], run: OpenRun, reporter: Reporter
) -> tuple[PretrainPlan, PretrainTraining, PretrainResults]:
    """Train a language model and save it.

    Args:
        job: The pretraining.
        seconds: The duration of each part so far, in seconds. Further parts are added.
        run: The folder of the pretraining.
        reporter: Shows progress.

    Returns:
        Three parts of the record: the texts with their bytes, the training, and the results.
    """
    config, corpus, device, folder = job.config, job.corpus, job.device, job.folder
    # Always read the tokenizer from disk, so that a resumed run uses the same one.
    tokenizer = _load_tokenizer(folder)
    held_out_bytes = n_bytes(as_read(tokenizer, text) for text in corpus.held_out)
    train_bytes = n_bytes(as_read(tokenizer, text) for text in corpus.train)
    _pack(corpus, tokenizer, folder, seconds, reporter)
    tokens, held_out = open_tokens(folder / TRAIN), open_tokens(folder / HELD_OUT)
    vocabulary = TokenizerSummary(
        size=len(tokenizer),
        train_tokens=len(tokens),
        held_out_tokens=len(held_out),
        tokens_per_text=len(tokens) / len(corpus.train) - 1,  # without the end token
        bytes_per_token=train_bytes / len(tokens),
    )
    training = config.training
    windows = Windows(tokens, training.window)
    model = new_model(config.architecture, tokenizer, training.window, config.seed).to(device)
    module = NextToken(
        model,
        use_bf16=devices.pick_dtype(config.dtype, device) == "bfloat16",
        compiled=_should_compile(training, device, len(tokens)),
    )
    objective = LanguageModelling(
        module,
        windows,
        all_windows(held_out, training.window, module.pad_id),
        held_out_bytes,
        training,
        per_pass=_windows_per_pass(training, device),
        seed=config.seed,
    )
    training_start = time.perf_counter()
    rows = train(
        objective,
        training,
        epochs=training.epochs,
        lr=training.lr,
        device=device,
        reporter=reporter,
        checkpoints=CheckpointFolder(folder / CHECKPOINTS),
    )
    seconds["last_leg"] = time.perf_counter() - training_start
    history = [PretrainEpoch(**row) for row in rows]
    check_still_exists(folder)
    trained = _summarise(history, vocabulary, objective, model, job)
    save_model(model, tokenizer, folder / MODEL, card_of(config, job.started, trained))
    saved = Qwen3ForCausalLM.from_pretrained(
        folder / MODEL, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
    )
    model.load_state_dict(saved.state_dict())
    with torch.inference_mode():
        scores = LanguageScores(**objective.evaluate())
    title = f"{folder.name}: {model.num_parameters():,} parameters"
    with failures.system_errors(folder):
        plots = draw_history(history, folder, title=title, accuracy="Next-token accuracy")
    results = PretrainResults(
        seconds=PretrainSeconds(
            **seconds, training=trained.training_seconds, total=run.total_seconds()
        ),
        peak_memory_bytes=hardware.peak_memory_bytes(),
        saved=scores,
        plots=[str(path) for path in plots],
    )
    measured = job.started.corpus.model_copy(
        update={
            "train": CorpusPart(texts=len(corpus.train), bytes=train_bytes),
            "held_out": CorpusPart(texts=len(corpus.held_out), bytes=held_out_bytes),
        }
    )
    return PretrainPlan(corpus=measured), trained, results


def _load_or_train_tokenizer(
    config: PretrainConfig,
    corpus: Corpus,
    folder: Path,
    seconds: dict[str, float],
    reporter: Reporter,
) -> PreTrainedTokenizerFast:
    """Load the run's tokenizer, or train it if the run has none yet."""
    start = time.perf_counter()
    found = _read_tokenizer(folder)
    if found is None:
        reporter.message(f"training a tokenizer of {config.vocabulary.size:,} tokens")
        found = train_tokenizer(corpus.train, config.vocabulary, config.training.window)
    seconds["vocabulary"] = time.perf_counter() - start
    return found


def _read_tokenizer(folder: Path) -> PreTrainedTokenizerFast | None:
    """Return the tokenizer of a run. None if the run has none, or if its files are damaged."""
    try:
        return _load_tokenizer(folder) if (folder / TOKENIZER).is_dir() else None
    except ThawlineError:
        return None


def _load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a run, which another person may have started."""
    path = folder / TOKENIZER
    check_model_files(path)
    with explain_read_errors(str(path), TOKENIZER_FILES):
        tokenizer: PreTrainedTokenizerFast = load_tokenizer(str(path), None)
    return tokenizer


def _pack(
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    seconds: dict[str, float],
    reporter: Reporter,
) -> None:
    """Tokenise the texts whose file of tokens does not exist yet or is damaged."""
    start = time.perf_counter()
    for name, texts in ((TRAIN, corpus.train), (HELD_OUT, corpus.held_out)):
        if not is_packed(folder / name, len(tokenizer)):
            pack(texts, tokenizer, folder / name, reporter)
    seconds["tokenising"] = time.perf_counter() - start


def _windows_per_pass(training: PretrainingConfig, device: str) -> int:
    """Return the number of windows in a forward pass.

    It is the largest divisor of the batch size that is not above the limit of the settings.
    """
    wanted = training.windows_per_pass
    if wanted is None:
        wanted = CPU_WINDOWS if device == "cpu" else training.batch_size
    most = min(wanted, training.batch_size)
    return max(n for n in range(1, most + 1) if training.batch_size % n == 0)


def _should_compile(training: PretrainingConfig, device: str, tokens: int) -> bool:
    """Return whether torch compiles the module.

    Args:
        training: The settings of the training.
        device: The device of the training.
        tokens: Number of tokens in an epoch.
    """
    if training.compile != "auto":
        return training.compile == "on"
    if device == "cpu":
        has_compiler = any(map(shutil.which, ("c++", "g++", "clang++")))
        return has_compiler and tokens * training.epochs >= WORTH_COMPILING
    return device == "cuda"


def _summarise(
    history: list[PretrainEpoch],
    vocabulary: TokenizerSummary,
    objective: LanguageModelling,
    model: Qwen3ForCausalLM,
    job: _Job,
) -> PretrainTraining:
    """Return the part of the record that describes a finished training."""
    training = job.config.training
    steps = history[-1].step
    tokens = steps * training.batch_size * training.window
    seconds = sum(row.seconds or 0.0 for row in history)
    blocks = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if "embed_tokens" not in name
    )
    return PretrainTraining(
        tokenizer=vocabulary,
        device=job.device,
        dtype=devices.pick_dtype(job.config.dtype, job.device),
        parameters=model.num_parameters(),
        block_parameters=blocks,
        steps=steps,
        steps_per_epoch=objective.steps_per_epoch,
        tokens=tokens,
        tokens_per_second=tokens / seconds if seconds else None,
        history=history,
        kept=next(row for row in history if row.kept),
    )
