"""The routes of the files of the web page."""

from __future__ import annotations

from importlib.resources import files
from pathlib import PurePath

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

PREFIX = "/page/"
"""The beginning of the paths of all files but the page itself."""

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # a text never becomes HTML
    )
)
"""The Content-Security-Policy of the page."""


def is_page_file(path: str) -> bool:
    """Return whether a path is the page or one of its files, which contain nothing private."""
    return path == "/" or path.startswith(PREFIX)


def read_files() -> dict[str, tuple[bytes, str]]:
    """Return the content and the media type of each file by its name.

    The style sheet of reports is one of them, so that reports and the page look the same.
    """
    report = files("thawline.report.html") / "templates" / "page.css"
    named = {one.name: one for one in (files(__package__) / "static").iterdir()}
    return {
        name: (file.read_bytes(), MEDIA_TYPES[PurePath(name).suffix])
        for name, file in {**named, "report.css": report}.items()
        if PurePath(name).suffix in MEDIA_TYPES
    }


def page_router() -> APIRouter:
    """Return the routes of the web page."""
    router, known = APIRouter(include_in_schema=False), read_files()

    @router.get("/")
    async def index() -> Response:
        content, media_type = known["index.html"]
        headers = {"content-security-policy": POLICY}
        return Response(content, media_type=media_type, headers=headers)

    @router.get(PREFIX + "{name}")
    async def file(name: str) -> Response:
        if name not in known:
            raise HTTPException(404, "the page has no file of this name")
        content, media_type = known[name]
        return Response(content, media_type=media_type)

    return router
