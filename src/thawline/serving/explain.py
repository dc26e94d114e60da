"""The route that scores the effect of each word on a prediction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from fastapi import APIRouter, HTTPException
from numpy.typing import NDArray

from thawline.data.texts import show_surrogates
from thawline.evaluation.metrics import probabilities
from thawline.inference.explaining import check_parts, score_parts, without_parts
from thawline.serving.batching import CHARACTERS_PER_TOKEN
from thawline.serving.schemas import ExplainedPart, ExplainRequest, ExplainResponse
from thawline.serving.service import Service

MAX_TEXTS = 32
"""The largest number of texts that are computed together, so that other requests wait briefly."""


def explain_router(service: Service, problems: dict[int | str, dict[str, Any]]) -> APIRouter:
    """Return the route ``POST /explain``.

    Args:
        service: Classifies texts.
        problems: The descriptions of error answers.
    """
    router = APIRouter()

    @router.post("/explain", responses=problems)
    async def explain(request: ExplainRequest) -> ExplainResponse:
        """Score the effect of each word on a prediction, by classifying the text without it.

        A text of more than 128 words is divided into 128 parts. The text is classified once for
        each part, in batches between which other requests are answered.
        """
        (model,) = service.find([request.model])
        service.check([request.text], (model,))
        names = service.labels(model)
        if request.label is not None and request.label not in names:
            found = show_surrogates(request.label)
            detail = f"expected one of the classes {', '.join(names)}; found '{found}'"
            raise HTTPException(422, detail)
        spans = check_parts(request.text)
        texts = [request.text, *without_parts(request.text, spans)]
        try:
            async with asyncio.timeout(service.config.timeout):
                shares = await _shares(service, texts, model)
        except TimeoutError as error:
            limit = f"no answer within {service.config.timeout:g} seconds"
            raise HTTPException(503, limit) from error
        label = int(shares[0].argmax()) if request.label is None else names.index(request.label)
        parts = score_parts(request.text, spans, shares[:, label])
        return ExplainResponse(
            model=request.model,
            label=names[label],
            probability=float(shares[0, label]),
            parts=[ExplainedPart(**asdict(part)) for part in parts],
        )

    return router


async def _shares(service: Service, texts: Sequence[str], model: int) -> NDArray[np.float64]:
    """Return the probabilities of texts of similar length, in batches within the limits."""
    tokens = len(texts[0]) // CHARACTERS_PER_TOKEN + 2
    most = min(MAX_TEXTS, service.config.max_texts, service.config.queue)
    step = max(1, min(most, service.config.tokens_per_batch // tokens))
    found = []
    for start in range(0, len(texts), step):
        (logits,) = await service.compute(texts[start : start + step], (model,))
        found.append(probabilities(logits))
    return np.concatenate(found)
