"""The service that every route uses: it checks, batches and classifies the texts of requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray

from thawline.config import ComputeConfig, ServeConfig
from thawline.data import Text
from thawline.data.texts import has_surrogate, show_surrogates
from thawline.evaluation.metrics import probabilities
from thawline.inference.fitted import AnyFitted
from thawline.inference.packing import for_inference
from thawline.inference.shared import SharedPredictor
from thawline.inference.words import FittedWords
from thawline.serving.batching import Batcher, Logits, QueueFullError, StoppingError
from thawline.serving.metrics import Metrics
from thawline.serving.schemas import (
    ModelInfo,
    ModelsResponse,
    Prediction,
    RequestLimits,
    TeiRequest,
    TeiScore,
    TextOrPair,
)

LOG = logging.getLogger("thawline.serving")

DENSITY = 0.9
"""The minimum share of a batch's tokens that is not padding. It is lower than in a frozen pass,
because the few texts of a request would otherwise form very small batches."""


class Service:
    """Classifies the texts of requests.

    Args:
        classifiers: The classifiers by name.
        config: The settings.

    Attributes:
        config: The settings.
        names: The names of the classifiers.
        batcher: Computes texts together.
        metrics: Counts requests and texts.
    """

    def __init__(self, classifiers: Mapping[str, AnyFitted], config: ServeConfig) -> None:
        self.names, self._fitted = list(classifiers), list(classifiers.values())
        self.config = config
        compute = ComputeConfig(device=config.device, dtype=config.dtype, density=DENSITY)
        packed = [for_inference(fitted, compute) for fitted in self._fitted]
        self._predictor = SharedPredictor(packed, compute)
        self._selected: dict[tuple[int, ...], SharedPredictor] = {}
        self.batcher = Batcher(
            self._predict,
            wait=config.wait / 1000,
            tokens=config.tokens_per_batch,
            queue=config.queue,
            longest=self._longest(),
        )
        self.metrics = Metrics(self.batcher)

    def _longest(self) -> int | None:
        """Return the number of tokens of the longest text after truncation, if it is truncated."""
        lengths = [model.max_length for model in self.describe().models]
        return max((length for length in lengths if length is not None), default=None)

    async def warm_up(self) -> None:
        """Classify a text with each classifier, so that the first request is not slow."""
        for model, fitted in enumerate(self._fitted):
            await self.batcher.logits([("a", "b") if fitted.pairs else "a"], (model,))

    def _predict(self, texts: Sequence[Text], models: tuple[int, ...]) -> Logits:
        if models not in self._selected:
            self._selected[models] = self._predictor.select(models)
        return self._selected[models].logits(texts)

    def describe(self) -> ModelsResponse:
        """Return the classifiers, and the stages that they share."""
        models = [
            ModelInfo(
                name=name,
                strategy=fitted.strategy,
                backbone=fitted.backbone,
                labels=list(fitted.labels.names),
                pairs=fitted.pairs,
                max_length=None if isinstance(fitted, FittedWords) else fitted.reading.max_length,
            )
            for name, fitted in zip(self.names, self._fitted, strict=True)
        ]
        limits = RequestLimits(
            max_body=self.config.max_body,
            max_texts=self.config.max_texts,
            max_characters=self.config.max_characters,
        )
        shared = self._predictor.describe(self.names)
        return ModelsResponse(models=models, shared=shared, limits=limits)

    def labels(self, model: int) -> list[str]:
        """Return the names of the classes of the classifier at a position."""
        return list(self._fitted[model].labels.names)

    def find(self, names: Sequence[str] | None) -> tuple[int, ...]:
        """Return the positions of classifiers.

        Args:
            names: Their names. If None, all of them.

        Raises:
            HTTPException: If there is no such classifier.
        """
        if names is None:
            return tuple(range(len(self.names)))
        for name in names:
            if name not in self.names:
                known = ", ".join(self.names)
                shown = show_surrogates(name)
                detail = f"expected one of the classifiers {known}; found '{shown}'"
                raise HTTPException(404, detail)
        return tuple(dict.fromkeys(map(self.names.index, names)))

    async def logits(self, texts: Sequence[TextOrPair], models: tuple[int, ...]) -> Logits:
        """Return the logits of texts for some of the classifiers.

        Args:
            texts: The texts or pairs, as the user sent them.
            models: The positions of the classifiers.

        Raises:
            HTTPException: If there are too many texts, if one is too long or of the wrong kind, if
                too many texts wait, or if the answer takes too long.
        """
        self.check(texts, models)
        return await self.compute(texts, models)

    async def compute(self, texts: Sequence[TextOrPair], models: tuple[int, ...]) -> Logits:
        """Return the logits of texts that were checked.

        Args:
            texts: The texts or pairs.
            models: The positions of the classifiers.

        Raises:
            HTTPException: If too many texts wait, or if the answer takes too long.
        """
        try:
            async with asyncio.timeout(self.config.timeout):
                found = await self.batcher.logits(texts, models)
        except QueueFullError as error:
            headers = {"Retry-After": str(error.seconds)}
            raise HTTPException(429, str(error), headers) from error
        except StoppingError as error:
            raise HTTPException(503, "the server is stopping") from error
        except TimeoutError as error:
            limit = f"no answer within {self.config.timeout:g} seconds"
            raise HTTPException(503, limit) from error
        self.metrics.count_texts(texts)
        return found

    def check(self, texts: Sequence[TextOrPair], models: tuple[int, ...]) -> None:
        """Check the texts of a request, and log them if asked.

        Args:
            texts: The texts or pairs.
            models: The positions of the classifiers.

        Raises:
            HTTPException: If there are too many texts, or if one is too long or of the wrong kind.
        """
        most, longest = self.config.max_texts, self.config.max_characters
        if len(texts) > most:
            raise HTTPException(413, f"expected at most {most:,} texts; found {len(texts):,}")
        for number, text in enumerate(texts):
            for part in (text,) if isinstance(text, str) else text:
                if len(part) > longest:
                    found = f"text {number} (counting from 0) with {len(part):,}"
                    detail = f"expected texts of at most {longest:,} characters; found {found}"
                    raise HTTPException(413, detail)
                if has_surrogate(part):
                    detail = f"expected valid characters; found a lone surrogate in text {number}"
                    raise HTTPException(422, detail)
            for model in models:
                if self._fitted[model].pairs == isinstance(text, str):
                    kinds = ("single texts", "pairs of texts")
                    wanted = self._fitted[model].pairs
                    detail = (
                        f"expected {kinds[wanted]} for '{self.names[model]}'; found "
                        f"{kinds[not wanted]}"
                    )
                    raise HTTPException(422, detail)
        if self.config.log_texts:
            LOG.info("texts: %r", texts)

    def predictions(
        self, logits: Logits, models: tuple[int, ...], top: int | None
    ) -> list[dict[str, Prediction]]:
        """Return the answers of a request.

        Args:
            logits: The logits of each classifier.
            models: The positions of the classifiers.
            top: The number of classes in each answer. If None, all of them.
        """
        answers: list[dict[str, Prediction]] = [{} for _ in range(len(logits[0]))]
        for model, found in zip(models, logits, strict=True):
            for answer, shares in zip(answers, self._ranked(model, found), strict=True):
                kept = dict(shares[:top])
                answer[self.names[model]] = Prediction(label=shares[0][0], probabilities=kept)
        return answers

    def _ranked(self, model: int, logits: NDArray[np.float32]) -> list[list[tuple[str, float]]]:
        """Return the classes of each text with their probabilities, the most probable first."""
        names = self._fitted[model].labels.names
        return [
            [(names[index], float(row[index])) for index in np.argsort(-row, kind="stable")]
            for row in probabilities(logits)
        ]

    def scores(
        self, logits: NDArray[np.float32], model: int, request: TeiRequest
    ) -> list[list[TeiScore]]:
        """Return the scores of each text in the form of text-embeddings-inference.

        Args:
            logits: The logits of a classifier.
            model: Its position.
            request: The request.
        """
        parameters = request.parameters or {}
        names, top = self._fitted[model].labels.names, parameters.get("top_k")
        raw = request.raw_scores or parameters.get("function_to_apply") == "none"
        values = logits.astype(np.float64) if raw else probabilities(logits)
        kept = top if isinstance(top, int) and top > 0 else None
        return [
            [
                TeiScore(label=names[index], score=float(row[index]))
                for index in np.argsort(-row, kind="stable")[:kept]
            ]
            for row in values
        ]
