"""What the guard adds to every answer, whatever it is an answer to."""

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from fadernets.web import guard


def answer(path, headers):
    """The answer of an application behind the guard."""
    app = FastAPI()

    @app.get("/")
    def root() -> str:
        return "here"

    app.add_middleware(guard.Guard, hosts=guard.LOOPBACK, most=1000, broken="broken")

    async def get():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(get())


@pytest.mark.parametrize(
    ("path", "headers", "status"), [("/", {}, 200), ("/nowhere", {}, 404), ("/", {"host": "evil.example"}, 421)]
)
def test_every_answer_keeps_the_page_to_itself(path, headers, status):
    """No other page may embed it or read it, and it asks for no camera, microphone or place."""
    found = answer(path, headers)
    assert found.status_code == status
    assert found.headers["cross-origin-resource-policy"] == "same-origin"
    assert found.headers["cross-origin-opener-policy"] == "same-origin"
    for what in ("camera", "microphone", "geolocation"):
        assert f"{what}=()" in found.headers["permissions-policy"]
    assert guard.HEADERS.items() <= dict(found.headers).items()
