"""The web application: routes that classify texts, describe the classifiers, and show the state."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from thawline._version import __version__
from thawline.data.texts import show_surrogates
from thawline.errors import ThawlineError
from thawline.runtime.paths import expand
from thawline.serving.explain import explain_router
from thawline.serving.limits import Guard, Scope, path_of
from thawline.serving.page.files import is_page_file, page_router
from thawline.serving.runs import Links, runs_router
from thawline.serving.schemas import (
    ModelsResponse,
    PredictRequest,
    PredictResponse,
    Problem,
    Status,
    TeiRequest,
    TeiScore,
    TextOrPair,
)
from thawline.serving.service import Service

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""The paths that need no token, because process supervisors request them."""

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not valid JSON in UTF-8."},
    401: {"model": Problem, "description": "The bearer token is missing or wrong."},
    403: {"model": Problem, "description": "The host of the request is not allowed."},
    404: {"model": Problem, "description": "There is no classifier of this name."},
    413: {"model": Problem, "description": "The body, or a text, is too large."},
    422: {"description": "The body is invalid."},
    429: {"model": Problem, "description": "Too many texts wait. Retry-After has the seconds."},
    503: {"model": Problem, "description": "The server is stopping, or the time limit has passed."},
}


def build_app(service: Service) -> Any:
    """Return the ASGI application of a service.

    Args:
        service: Classifies the texts of requests.
    """
    config = service.config

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        await service.warm_up()
        yield
        await service.batcher.stop()

    app = FastAPI(
        title="Thawline",
        version=__version__,
        description="Text classifiers that share a frozen pass.",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from other servers
        redoc_url=None,
    )
    links = Links()
    past = None
    if config.runs is not None:
        from thawline.serving.past import PastRuns  # imports matplotlib

        past = PastRuns(expand(config.runs))
    _add_routes(app, service)
    app.include_router(explain_router(service, _PROBLEMS))
    app.include_router(runs_router(past, links, _PROBLEMS, has_token=config.token is not None))
    app.include_router(page_router())
    _add_error_handlers(app)
    if config.allow_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(config.allow_origin),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
        )

    def is_open(scope: Scope) -> bool:
        path = path_of(scope)
        return path in OPEN_PATHS or is_page_file(path) or links.allows(scope)

    guarded = Guard(
        app,
        token=config.token,
        max_body=config.max_body,
        timeout=config.timeout,
        is_open=is_open,
    )
    return service.metrics.counting(guarded)  # requests that the guard rejects are counted too


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.post("/predict", responses=_PROBLEMS)
    async def predict(request: PredictRequest) -> PredictResponse:
        """Classify one text, several texts or pairs, with one or several classifiers."""
        texts = request.texts if isinstance(request.texts, list) else [request.texts]
        models = service.find(request.models)
        logits = await service.logits(texts, models)
        return PredictResponse(predictions=service.predictions(logits, models, request.top))

    @app.get("/models")
    async def models() -> ModelsResponse:
        """Return the classifiers, their classes, and the stages that they share."""
        return service.describe()

    @app.get("/healthz")
    async def healthz() -> Status:
        """Return that the process is running."""
        return Status(status="ok")

    @app.get("/readyz", responses={503: _PROBLEMS[503]})
    async def readyz() -> Status:
        """Return status 200 if a request would be accepted now, otherwise 503."""
        if not service.batcher.is_ready:
            raise HTTPException(503, "no space for further texts, or the server is stopping")
        return Status(status="ready")

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        """Return counters and times in the format of Prometheus."""
        return PlainTextResponse(service.metrics.text(), media_type=service.metrics.media_type)

    async def tei_scores(model: str, request: TeiRequest) -> tuple[list[list[TeiScore]], bool]:
        given = request.inputs
        several = isinstance(given, list) and isinstance(given[0], list)
        parts = given if several else [given]
        texts = [_as_text(part) for part in parts]
        (position,) = service.find([model])
        (logits,) = await service.logits(texts, (position,))
        return service.scores(logits, position, request), several

    known = Path(description="Name of the classifier.", json_schema_extra={"enum": service.names})

    @app.post("/tei/{model}/predict", responses=_PROBLEMS)
    async def tei_predict(
        request: TeiRequest, model: str = known
    ) -> list[TeiScore] | list[list[TeiScore]]:
        """Classify texts with the protocol of text-embeddings-inference."""
        scores, several = await tei_scores(model, request)
        return scores if several else scores[0]

    @app.post("/tei/{model}", responses=_PROBLEMS)
    async def tei_nested(request: TeiRequest, model: str = known) -> list[list[TeiScore]]:
        """Classify texts for clients of the hub, which expect a list for each text."""
        return (await tei_scores(model, request))[0]


def _as_text(part: Any) -> TextOrPair:
    """Return a text, or a pair, from a string or a list of one or two strings."""
    if isinstance(part, str):
        return part
    return part[0] if len(part) == 1 else (part[0], part[1])


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(ThawlineError)
    async def invalid(request: Request, error: ThawlineError) -> JSONResponse:
        return JSONResponse({"detail": show_surrogates(str(error))}, 422)

    @app.exception_handler(RequestValidationError)
    async def invalid_body(request: Request, error: RequestValidationError) -> Response:
        # The values of a request are not repeated: JSON has no NaN, and UTF-8 no lone surrogate.
        kept = [{name: each[name] for name in ("type", "loc", "msg")} for each in error.errors()]
        body = json.dumps({"detail": kept}, default=str)
        return Response(body, 422, media_type="application/json")
