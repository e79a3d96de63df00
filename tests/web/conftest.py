"""A browser's view of the pages, over hand-written rows."""

from __future__ import annotations

import re
from typing import Any

import anyio
import httpx
import pytest

from asyncflow.web.app import make_app
from tests.web.fake_actions import FakeActions


class Browser:
    """Asks the application in this process; keeps cookies, follows no redirect by itself."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.cookies = httpx.Cookies()
        self.base_url = "http://localhost:8080"

    def get(self, path: str) -> httpx.Response:
        return self._request("GET", path)

    def post(self, path: str, data: dict[str, str]) -> httpx.Response:
        return self._request("POST", path, data=data)

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url, cookies=self.cookies) as client:
                answer = await client.request(method, path, **more)
                self.cookies = client.cookies
                return answer

        return anyio.run(ask)


@pytest.fixture
def actions() -> FakeActions:
    return FakeActions()


@pytest.fixture
def browser(actions: FakeActions) -> Browser:
    return Browser(make_app(actions))


def token_in(answer: httpx.Response) -> str:
    """The form token of a page."""
    found = re.search(r'name="form_token" value="([^"]+)"', answer.text)
    assert found is not None, "the page has no form"
    return found.group(1)
