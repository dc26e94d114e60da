"""Compute the texts of requests that arrive at about the same time together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thawline.data import Text

Logits = list[NDArray[np.float32]]
"""The logits of each classifier, ``(texts, labels)``."""

Predict = Callable[[Sequence[Text], tuple[int, ...]], Logits]
"""A function that computes the logits of texts for the classifiers at some positions."""

CHARACTERS_PER_TOKEN = 4
"""About how many characters a token has, by which the tokens of waiting texts are estimated."""


class QueueFullError(Exception):
    """Report that a request was refused because too many texts wait.

    Args:
        seconds: The number of seconds after which there is probably space.
    """

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many texts wait; try again after {seconds} seconds")
        self.seconds = seconds


class StoppingError(Exception):
    """Report that a request was refused because the server is stopping."""


@dataclass(eq=False)
class _Waiting:
    """A request that waits or is computed.

    Attributes:
        texts: Its texts.
        models: The positions of the classifiers that are asked.
        sizes: About how many tokens each text has.
        answer: Receives the logits. It is cancelled if nobody waits for them any more.
        arrived: When it arrived, by `time.perf_counter`.
        taken: The number of texts that were taken into a batch.
        found: The logits of the texts that are computed, batch by batch.
    """

    texts: Sequence[Text]
    models: tuple[int, ...]
    sizes: Sequence[int]
    answer: asyncio.Future[Logits]
    arrived: float = field(default_factory=time.perf_counter)
    taken: int = 0
    found: list[Logits] = field(default_factory=list)

    def take(self, room: int, *, at_least: int) -> _Part:
        """Take the next texts.

        Args:
            room: The number of tokens that they may have.
            at_least: The number of texts that are taken even if they have more.
        """
        start = self.taken
        while self.taken < len(self.texts):
            room -= self.sizes[self.taken]
            if room < 0 and self.taken - start >= at_least:
                break
            self.taken += 1
        return _Part(self, self.texts[start : self.taken], sum(self.sizes[start : self.taken]))

    def add(self, result: Logits | Exception) -> None:
        """Add the logits of the texts that were taken last, and answer after the last text."""
        if self.answer.done():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
            return
        self.found.append(result)
        if self.taken == len(self.texts):
            joined = [np.concatenate(parts) for parts in zip(*self.found, strict=True)]
            self.answer.set_result(joined)


@dataclass(frozen=True)
class _Part:
    """Texts of a request that are computed in one batch.

    Attributes:
        request: The request.
        texts: The texts.
        tokens: About how many tokens they have.
    """

    request: _Waiting
    texts: Sequence[Text]
    tokens: int


class Batcher:
    """Collects requests and computes their texts together, in a thread of its own.

    Requests that arrive while a batch is computed form the next one. If nothing is computed, a
    request waits a few milliseconds for others, but only if there were others in the last batch. A
    large request is computed in several batches, and other requests get their turn between them.

    Args:
        predict: Computes logits.
        wait: The maximum number of seconds to wait for further requests.
        tokens: The number of tokens of a batch. A longer text is computed alone.
        queue: The number of texts that may wait or be computed.
        longest: The number of tokens to which texts are truncated. If None, they are not truncated.

    Attributes:
        waiting: The number of texts that wait or are computed.
        batches: The number of batches so far.
    """

    def __init__(
        self, predict: Predict, *, wait: float, tokens: int, queue: int, longest: int | None = None
    ) -> None:
        self._predict, self._wait, self._tokens, self._most = predict, wait, tokens, queue
        self._longest = longest
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._rate, self._expected = 0.0, 1
        self.waiting = self.batches = 0

    def start(self) -> None:
        """Start to compute, in the running event loop."""
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._stopping, self.waiting, self._expected = False, 0, 1
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Refuse new requests, finish those that were accepted, and end the thread."""
        self._stopping = True
        while self.waiting:
            await asyncio.sleep(0.005)
        if self._task is not None:
            self._task.cancel()
            self._thread.shutdown()

    @property
    def is_ready(self) -> bool:
        """Whether a request with a single text would be accepted."""
        return not self._stopping and self.waiting < self._most

    async def logits(self, texts: Sequence[Text], models: tuple[int, ...]) -> Logits:
        """Return the logits of texts.

        If this is cancelled, texts that are not in a batch yet are not computed.

        Args:
            texts: At least one text or pair.
            models: The positions of the classifiers.

        Raises:
            QueueFullError: If too many texts wait.
            StoppingError: If the server is stopping.
        """
        if self._stopping:
            raise StoppingError
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self.start()  # the application is part of another one, which does not start it
        if self.waiting and self.waiting + len(texts) > self._most:
            raise QueueFullError(max(1, round(self.waiting / self._rate) if self._rate else 1))
        one = _Waiting(texts, models, [self._size(text) for text in texts], loop.create_future())
        self.waiting += len(texts)
        self._queue.append(one)
        self._arrived.set()
        try:
            return await one.answer
        finally:
            self.waiting -= len(texts)

    def _size(self, text: Text) -> int:
        """Return about how many tokens a text has."""
        characters = len(text) if isinstance(text, str) else sum(map(len, text))
        size = characters // CHARACTERS_PER_TOKEN + 2
        return size if self._longest is None else min(size, self._longest)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wait_for_requests()
            parts = self._next_batch()
            if not parts:
                continue
            self._expected = len(parts)
            start = time.perf_counter()
            found = await loop.run_in_executor(self._thread, self._compute, parts)
            number = sum(len(part.texts) for part in parts)
            self._rate = number / max(1e-6, time.perf_counter() - start)
            self.batches += 1
            for part, result in zip(parts, found, strict=True):
                part.request.add(result)

    async def _wait_for_requests(self) -> None:
        """Wait for a request, and a short time for as many as there were in the last batch."""
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        end = self._queue[0].arrived + self._wait
        while len(self._queue) < self._expected:
            self._arrived.clear()
            try:
                async with asyncio.timeout(end - time.perf_counter()):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _next_batch(self) -> list[_Part]:
        """Take the texts of the next batch from the queue."""
        parts: list[_Part] = []
        room, rest = self._tokens, None
        while self._queue and rest is None:
            one = self._queue.popleft()
            if one.answer.done():  # nobody waits for it any more, or an earlier part failed
                continue
            part = one.take(room, at_least=0 if parts else 1)
            if not part.texts:
                self._queue.appendleft(one)
                break
            parts.append(part)
            room -= part.tokens
            if one.taken < len(one.texts):
                rest = one
        if rest is not None:
            self._queue.append(rest)
        return parts

    def _compute(self, parts: Sequence[_Part]) -> list[Logits | Exception]:
        """Compute the logits of each part, those for the same classifiers together."""
        found: dict[int, Logits | Exception] = {}
        for models in dict.fromkeys(part.request.models for part in parts):
            places = [n for n, part in enumerate(parts) if part.request.models == models]
            together = self._logits([text for n in places for text in parts[n].texts], models)
            start = 0
            for place in places:
                end = start + len(parts[place].texts)
                if not isinstance(together, Exception):
                    found[place] = [one[start:end] for one in together]
                elif len(places) == 1:
                    found[place] = together
                else:  # only the request whose text caused the error shall get it
                    found[place] = self._logits(parts[place].texts, models)
                start = end
        return [found[place] for place in range(len(parts))]

    def _logits(self, texts: Sequence[Text], models: tuple[int, ...]) -> Logits | Exception:
        try:
            return self._predict(texts, models)
        except Exception as error:
            return error
