"""The bodies of requests and answers, from which the OpenAPI description is made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

TextOrPair = str | tuple[str, str]
"""A text, or the two texts of a pair."""

TEXTS: list[JsonValue] = [
    "A warm, funny film with a wonderful cast.",
    "Dull, badly acted and far too long.",
]


class PredictRequest(BaseModel):
    """Texts to classify."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"texts": TEXTS}, {"texts": TEXTS[0]}]}
    )

    texts: str | Annotated[list[TextOrPair], Field(min_length=1)] = Field(
        description="A text, a list of texts, or a list of pairs. Two strings in a list are two "
        "texts; write a pair within a list: [[first, second]]."
    )
    models: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Names of the classifiers to ask. If missing, all of them."
    )
    top: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Number of most probable classes to return. If missing, all of them."
    )


class Prediction(BaseModel):
    """The answer of a classifier for a text."""

    label: str = Field(description="The most probable class.")
    probabilities: dict[str, float] = Field(
        description="The probability of each class, the most probable first."
    )


class PredictResponse(BaseModel):
    """The answers for all texts."""

    predictions: list[dict[str, Prediction]] = Field(
        description="For each text, in the order of the request, the answer of each classifier."
    )


class ModelInfo(BaseModel):
    """A classifier."""

    name: str
    strategy: str
    backbone: str | None = Field(description="The pretrained backbone; null for TF-IDF alone.")
    labels: list[str]
    pairs: bool = Field(description="Whether it classifies pairs of texts.")
    max_length: int | None = Field(description="Maximum number of tokens of a text.")


class ModelsResponse(BaseModel):
    """All classifiers, and what they share."""

    models: list[ModelInfo]
    shared: list[str] = Field(description="The stages that run once for several classifiers.")


class Status(BaseModel):
    """The state of the server."""

    status: str


class TeiRequest(BaseModel):
    """Texts in the form of text-embeddings-inference. Unknown fields are ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": TEXTS[0]}]})

    inputs: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=2)]
        | Annotated[
            list[Annotated[list[str], Field(min_length=1, max_length=2)]], Field(min_length=1)
        ]
    ) = Field(description="A text, a pair of texts, or a list of lists with one text or a pair.")
    raw_scores: bool = Field(False, description="Whether to return logits.")
    parameters: dict[str, Any] | None = Field(
        None, description="`top_k` and `function_to_apply` of the hub's client."
    )


class TeiScore(BaseModel):
    """A class and its score."""

    label: str
    score: float


class Problem(BaseModel):
    """What is wrong with a request."""

    detail: str
