"""The routes that list past runs and show their reports."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from thawline.serving.limits import Scope, path_of
from thawline.serving.schemas import PastRunsResponse, ReportLink, ReportRequest

if TYPE_CHECKING:
    from thawline.serving.past import PastRuns

REPORT = "/runs/report"
"""The path of reports."""

VALID_SECONDS = 3600
"""The number of seconds for which a link to a report is valid."""


class Links:
    """Links to reports, which a frame can open without a token. They end with the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def make(self, run: str) -> str:
        """Return a link to the report on a run, which is valid for an hour."""
        until = str(int(time.time()) + VALID_SECONDS)
        values = {"run": run, "until": until, "signature": self._sign(run, until)}
        return f"{REPORT}?{urlencode(values)}"

    def allows(self, scope: Scope) -> bool:
        """Return whether a request has a valid link."""
        if path_of(scope) != REPORT:
            return False
        try:
            given = parse_qs(scope["query_string"].decode("ascii"), errors="strict")
        except ValueError:
            return False
        run, until, signature = (given.get(name) for name in ("run", "until", "signature"))
        if not (run and until and signature and len(given) == 3):
            return False
        if any(len(values) > 1 for values in given.values()):
            return False
        valid = hmac.compare_digest(signature[0].encode(), self._sign(run[0], until[0]).encode())
        # The run's name can contain spaces, so a part of it could stand in the time.
        return valid and until[0].isdecimal() and int(until[0]) >= time.time()

    def _sign(self, run: str, until: str) -> str:
        return hmac.new(self._key, f"{until} {run}".encode(), "sha256").hexdigest()


def check_host(request: Request) -> None:
    """Refuse a request whose host is neither an IP address nor localhost.

    This prevents DNS rebinding: a page of another site can give its own domain the address of this
    machine, so that its requests seem to come from this server's own page.

    Raises:
        HTTPException: If the host is neither an address nor localhost.
    """
    name = request.url.hostname or ""
    try:
        ip_address(name)
    except ValueError:
        if name != "localhost":
            detail = "without a token, past runs are shown only at an IP address or at localhost"
            raise HTTPException(403, detail) from None


def runs_router(
    past: PastRuns | None,
    links: Links,
    problems: dict[int | str, dict[str, Any]],
    *,
    has_token: bool,
) -> APIRouter:
    """Return the routes of past runs.

    Args:
        past: The runs. If None, there are none.
        links: Makes links to reports.
        problems: The descriptions of error answers.
        has_token: Whether requests need a token.
    """
    router = APIRouter(dependencies=[] if has_token else [Depends(check_host)])
    # One thread, because matplotlib must not draw in two at once.
    thread = ThreadPoolExecutor(1, thread_name_prefix="reports")

    @router.get("/runs", responses=problems)
    async def runs() -> PastRunsResponse:
        """Return past runs and comparisons with their results, the newest first."""
        if past is None:
            return PastRunsResponse(folder=None, runs=[])
        found = await asyncio.get_running_loop().run_in_executor(thread, past.describe_all)
        return PastRunsResponse(folder=past.name, runs=found)

    @router.post("/runs/link", responses=problems)
    async def link(request: ReportRequest) -> ReportLink:
        """Return a link to the report on a run, which a browser can open without the token."""
        loop = asyncio.get_running_loop()
        if past is None or request.run not in await loop.run_in_executor(thread, past.names):
            raise HTTPException(404, "there is no run of this name")
        return ReportLink(path=links.make(request.run), seconds=VALID_SECONDS)

    # The response class would make HTML of the problems, too.
    html: dict[str, Any] = {"content": {"text/html": {"schema": {"type": "string"}}}}

    @router.get(
        REPORT, response_class=Response, response_model=None, responses={**problems, 200: html}
    )
    async def report(
        run: Annotated[str, Query(description="The name of a run, as GET /runs returns it.")],
        until: Annotated[str | None, Query(description="Part of a link.")] = None,
        signature: Annotated[str | None, Query(description="Part of a link.")] = None,
    ) -> HTMLResponse:
        """Return the report on a run as HTML."""
        loop = asyncio.get_running_loop()
        found = None if past is None else await loop.run_in_executor(thread, past.report, run)
        if found is None:
            raise HTTPException(404, "there is no run of this name")
        html, policy = found
        headers = {"content-security-policy": policy, "x-frame-options": "SAMEORIGIN"}
        return HTMLResponse(html, headers=headers)

    return router
