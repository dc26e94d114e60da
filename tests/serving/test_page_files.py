"""The files of the web page are complete, need no other server, and need no token."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from fastapi.testclient import TestClient

from tests.support.live_server import local_app
from thawline import TextClassifier
from thawline.serving.page.files import read_files


@pytest.fixture(scope="module")
def client(
    toy_reviews: Callable[..., tuple[list[str], list[int]]],
) -> Iterator[TestClient]:
    words = TextClassifier(strategy="tfidf", labels=("neg", "pos")).fit(*toy_reviews(60))
    with TestClient(local_app({"words": words.fitted_}, token="secret")) as client:
        yield client


def test_the_policy_allows_nothing_inline(client: TestClient) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert answer.headers["content-type"].startswith("text/html")
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script>", answer.text)


def test_every_named_file_exists_and_no_other_server_is_named(client: TestClient) -> None:
    known = read_files()
    for name, (content, _) in known.items():
        text = content.decode()
        assert client.get(f"/page/{name}").status_code == 200
        named = re.findall(r'(?:src|href)="(page/[^"]+)"', text)
        named += [f"page/{one}" for one in re.findall(r'from "\./([^"]+)"', text)]
        for path in named:
            assert client.get(f"/{path}").status_code == 200, path
        outside = set(re.findall(r"https?://[^\s\"')]+", text))
        assert outside <= {"http://www.w3.org/2000/svg"}, name


def test_texts_never_become_html() -> None:
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|srcdoc|DOMParser"
    for name, (content, _) in read_files().items():
        if name.endswith(".js"):
            assert not re.search(sinks, content.decode()), name


@pytest.mark.parametrize("path", ["/page/nothing.js", "/page/../app.py", "/page/..%2fapp.py"])
def test_other_files_are_not_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (401, 404)


def test_the_page_needs_no_token_and_the_routes_do(client: TestClient) -> None:
    assert client.get("/").status_code == 200
    assert client.get("/models").status_code == 401
    assert client.get("/openapi.json").status_code == 401
