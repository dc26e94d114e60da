"""A plain server to compare with: FastAPI around a pipeline of transformers.

    python -m benchmarks.serving_plain MODEL --port 8001 [--in-loop]

It imports nothing from Thawline. ``POST /predict`` takes ``{"texts": TEXT}``.
"""

from __future__ import annotations

import argparse
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline


class Request(BaseModel):
    """A text to classify."""

    texts: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="Folder of a transformers classifier")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--in-loop", action="store_true", help="Classify in the event loop, not in threads"
    )
    given = parser.parse_args()
    classify: Any = pipeline("text-classification", model=given.model, top_k=None)
    app = FastAPI()

    def in_thread(request: Request) -> Any:
        return classify(request.texts, truncation=True)

    async def in_loop(request: Request) -> Any:
        return classify(request.texts, truncation=True)

    app.post("/predict")(in_loop if given.in_loop else in_thread)
    uvicorn.run(app, port=given.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
