"""The bodies of requests and answers, from which the OpenAPI description is made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

TextOrPair = str | tuple[str, str]
"""A text, or the two texts of a pair."""

TEXTS: list[JsonValue] = [
    "A warm, funny film with a wonderful cast.",
    "Dull, badly acted and far too long.",
]


MAX_FIELDS = 16
"""The largest number of fields of a body. Each unknown field of such a body is reported."""


class _Body(BaseModel):
    """A body with a limited number of fields, so that few unknown fields are reported."""

    @model_validator(mode="before")
    @classmethod
    def _check_number_of_fields(cls, values: Any) -> Any:
        if isinstance(values, dict) and len(values) > MAX_FIELDS:
            raise ValueError(f"expected at most {MAX_FIELDS} fields; found {len(values):,}")
        return values


class PredictRequest(_Body):
    """Texts to classify."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"texts": TEXTS}, {"texts": TEXTS[0]}]}
    )

    # fail_fast: a large list of wrong values would otherwise become a far larger list of errors.
    texts: str | Annotated[list[TextOrPair], Field(min_length=1, fail_fast=True)] = Field(
        description="A text, a list of texts, or a list of pairs. Two strings in a list are two "
        "texts; write a pair within a list: [[first, second]]."
    )
    models: Annotated[list[str], Field(min_length=1, fail_fast=True)] | None = Field(
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


class RequestLimits(BaseModel):
    """The limits of a request."""

    max_body: int = Field(description="The largest body, in bytes.")
    max_texts: int = Field(description="The largest number of texts.")
    max_characters: int = Field(description="The largest number of characters of a text.")


class ModelsResponse(BaseModel):
    """All classifiers, what they share, and the limits of requests."""

    models: list[ModelInfo]
    shared: list[str] = Field(description="The stages that run once for several classifiers.")
    limits: RequestLimits


class ExplainRequest(_Body):
    """A text whose prediction to explain."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": TEXTS[0], "model": "head"}]}
    )

    text: str = Field(description="The text.")
    model: str = Field(description="Name of the classifier.")
    label: str | None = Field(
        None, description="The class to explain. If missing, the predicted one."
    )


class ExplainedPart(BaseModel):
    """A part of a text and its effect on a prediction."""

    start: int = Field(description="The position of its first character (Unicode code point).")
    end: int = Field(description="The position after its last character.")
    text: str
    score: float = Field(
        description="The probability of the class for the whole text, minus that without the part."
    )


class ExplainResponse(BaseModel):
    """The parts of a text, in their order, with their effects on a prediction."""

    model: str
    label: str = Field(description="The class that is explained.")
    probability: float = Field(description="Its probability for the whole text.")
    parts: list[ExplainedPart]


class ShownScore(BaseModel):
    """A score with its confidence interval, as shares."""

    value: float
    low: float
    high: float


class PastRun(BaseModel):
    """A run or a comparison that was made earlier."""

    name: str = ""
    kind: str = Field(description="fit, comparison, pretraining, or unknown if unreadable.")
    status: str = Field(description="finished, running, stopped, failed or unreadable.")
    started: str | None = Field(default=None, description="The time of the first start.")
    parent: str | None = Field(default=None, description="The comparison that the run is part of.")
    data: str | None = Field(default=None, description="The name of the data set.")
    strategy: str | None = Field(
        default=None, description="The strategy. For a comparison, that of the run to use."
    )
    backbone: str | None = None
    accuracy: ShownScore | None = Field(default=None, description="The accuracy on test.")
    problem: str | None = Field(default=None, description="Why the record cannot be read.")


class PastRunsResponse(BaseModel):
    """Past runs and comparisons."""

    folder: str | None = Field(
        description="The name of the folder; null if no past runs are shown."
    )
    runs: list[PastRun]


class ReportRequest(BaseModel):
    """A run whose report to show."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"run": "reviews"}]})

    run: str = Field(description="The name of the run.")


class ReportLink(BaseModel):
    """A link to a report."""

    path: str
    seconds: int = Field(description="The number of seconds for which it can be opened.")


class Status(BaseModel):
    """The state of the server."""

    status: str


class TeiRequest(BaseModel):
    """Texts in the form of text-embeddings-inference. Unknown fields are ignored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"inputs": TEXTS[0]}]})

    inputs: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=2, fail_fast=True)]
        | Annotated[
            list[Annotated[list[str], Field(min_length=1, max_length=2, fail_fast=True)]],
            Field(min_length=1, fail_fast=True),
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
