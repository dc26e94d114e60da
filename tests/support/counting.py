"""Count the work of a job: block calls, tokens, optimiser steps, hashed and tokenised texts.

The numbers do not depend on the machine, so that tests may assert them.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import PreTrainedModel

from thawline.backbones import loading, weights
from thawline.backbones.stack import Stack
from thawline.backbones.views import Stage
from thawline.data import Text, tokens
from thawline.runtime import checksums
from thawline.store import keys

PHASES = {
    "prefix": "thawline.prefix",
    "validation": "thawline.training.loop",
    "scoring": "thawline.jobs.scoring",
    "prediction": "thawline.inference",
}
"""The phases without gradients, and the package whose functions call the blocks in each."""


@dataclass
class Work:
    """The work of a job.

    Attributes:
        texts: For each phase, the number of texts that ran through each block, counted from 1. The
            phases are those in `PHASES` and ``training``.
        padded: For each phase, the number of tokens that ran through each block, with padding.
        optimizer_steps: The number of steps that AdamW took.
        hashed: How often each text was hashed.
        tokenised: How often each text was tokenised.
        weights_hashed: How often the weights of a backbone were hashed.
        files_hashed: How often each file of a saved model was hashed, by its name.
        weights_read: How often the weights of a model were read from a file.
        before: The sizes of the store's files before the job, in bytes.
        after: Their sizes after the job.
    """

    texts: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    padded: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    optimizer_steps: int = 0
    hashed: Counter[Text] = field(default_factory=Counter)
    tokenised: Counter[Text] = field(default_factory=Counter)
    weights_hashed: int = 0
    files_hashed: Counter[str] = field(default_factory=Counter)
    weights_read: int = 0
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    def written(self) -> int:
        """Return the number of bytes in the chunks that the job added to the store."""
        return sum(size for name, size in self.after.items() if name not in self.before)


def _phase() -> str:
    """Return the phase that calls a block, from the functions that are running.

    A thread that computes batches was started by the main thread, which waits for it.
    """
    if torch.is_grad_enabled():
        return "training"
    running: list[str] = []
    for thread in (threading.get_ident(), threading.main_thread().ident):
        frame: Any = sys._current_frames().get(thread or 0)
        while frame is not None:
            running.append(str(frame.f_globals.get("__name__")))
            frame = frame.f_back
    for phase, package in PHASES.items():
        if any(name == package or name.startswith(f"{package}.") for name in running):
            return phase
    return "other"


def _chunks(home: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (home / "store").rglob("*.safetensors")}


@contextmanager
def counting(home: Path) -> Iterator[Work]:
    """Count the work inside the ``with`` block.

    Args:
        home: The cache folder with the store.
    """
    work, lock = Work(before=_chunks(home)), threading.Lock()
    blocks: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
    make_stack = Stack.__init__

    def register(stack: Stack, *given: Any) -> None:
        make_stack(stack, *given)
        for number, block in enumerate(stack.blocks, 1):
            if not isinstance(block, Stage):  # a stand-in, which calls its block
                blocks[block] = number

    def ran(module: nn.Module, given: Any, output: Any) -> None:
        number = blocks.get(module)
        if number is not None:
            states: Tensor = output[0] if isinstance(output, tuple) else output
            phase = _phase()
            with lock:
                work.texts[phase][number] += len(states)
                work.padded[phase][number] += states.shape[:2].numel()

    def stepped(optimizer: torch.optim.Optimizer, *ignored: Any) -> None:
        work.optimizer_steps += isinstance(optimizer, torch.optim.AdamW)

    def counted(function: Callable[..., Any], count: Callable[..., None]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with lock:
                count(*arguments)
            return function(*arguments, **options)

        return call

    def hashed_weights(*ignored: Any) -> None:
        work.weights_hashed += 1

    def read_weights(*ignored: Any) -> None:
        work.weights_read += 1

    hooks = [register_module_forward_hook(ran), register_optimizer_step_post_hook(stepped)]
    with pytest.MonkeyPatch.context() as patch:

        def count(owner: Any, name: str, counter: Callable[..., None]) -> None:
            patch.setattr(owner, name, counted(getattr(owner, name), counter))

        patch.setattr(Stack, "__init__", register)
        count(keys, "_sha256_of", lambda text: work.hashed.update([text]))
        count(tokens, "_encode", lambda backend, texts: work.tokenised.update(texts))
        count(loading, "hash_weights", hashed_weights)
        count(weights, "hash_weights", hashed_weights)
        count(checksums, "file_sha256", lambda path: work.files_hashed.update([path.name]))
        read = PreTrainedModel.from_pretrained.__func__  # type: ignore[attr-defined]
        patch.setattr(PreTrainedModel, "from_pretrained", classmethod(counted(read, read_weights)))
        try:
            yield work
        finally:
            work.after = _chunks(home)
            for hook in hooks:
                hook.remove()
