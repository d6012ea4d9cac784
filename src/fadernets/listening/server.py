"""The listening test's HTTP server (Section 5.2, ISMIR 2020): it parses requests, calls `store.Study` and answers.

A subject's link is the page's address with their token, `/?s=TOKEN`. Every request carries the token; there is no other
login and no cookie. The page is `page/listen.html`; `fadernets.web.guard` says which requests are refused.
"""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import FastAPI, Query
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from fadernets import __version__
from fadernets.errors import FadernetsError
from fadernets.listening.store import State, Study, StudyError, UnknownSubject
from fadernets.listening.types import AnswerRequest, StateInfo
from fadernets.web.guard import LOOPBACK, Guard, one_line_errors, page_folder, problems

PAGE = "listen.html"
LINK = "?s="  # between the page's address and the token
MOST_BODY = 16 * 1024  # bytes of a request
BROKEN = "something broke in the server of this listening test; please tell those who gave you the link"
UNAVAILABLE = "the answers cannot be stored at present; please tell those who gave you the link if this lasts"
log = logging.getLogger("fadernets.listening")
Token = Annotated[str, Query(alias="s", max_length=200, description="the subject's token")]


def create(study: Study, *, hosts: tuple[str, ...] = LOOPBACK) -> FastAPI:
    """The application. hosts: names that requests may be for."""
    app = FastAPI(title="fadernets listening test", version=__version__, docs_url=None, redoc_url=None)
    one_line_errors(app, _refusal)

    def state_info(state: State) -> StateInfo:
        return StateInfo.model_validate({**state.as_dict(), "consent_text": study.consent_text})

    @app.get("/api/state", responses=problems(404))
    def state(token: Token) -> StateInfo:
        """The subject's progress."""
        return state_info(study.subject(token))

    @app.post("/api/consent", responses=problems(404))
    def consent(token: Token) -> StateInfo:
        """The subject agrees to the consent text; a repeated request is no error."""
        return state_info(study.consent(token))

    @app.post("/api/answer", responses=problems(400, 404))
    def answer(token: Token, body: AnswerRequest) -> StateInfo:
        """Store a part of an answer; the page sends each click as it is made."""
        ratings = body.ratings.model_dump(exclude_none=True)
        played = body.played.model_dump()
        return state_info(study.answer(token, body.trial, changed=body.changed, ratings=ratings, played=played))

    @app.post("/api/finish", responses=problems(400, 404))
    def finish(token: Token) -> StateInfo:
        """The subject has finished; a repeated request is no error."""
        return state_info(study.finish(token))

    @app.post("/api/withdraw", responses=problems(404))
    def withdraw(token: Token) -> StateInfo:
        """Delete the subject's consent and answers."""
        return state_info(study.withdraw(token))

    @app.get(
        "/api/sound/{sound}",
        response_class=FileResponse,
        responses={200: {"content": {"audio/wav": {}}}, 206: {"content": {"audio/wav": {}}}, **problems(400, 404)},
    )
    def sound(token: Token, sound: str) -> FileResponse:
        """A trial's sound or a range of its bytes, without which phones play nothing."""
        path = study.sound(token, sound)
        if not path.is_file():
            raise FadernetsError(f"{path}: is missing")
        return FileResponse(path, media_type="audio/wav", headers={"cache-control": "private, max-age=3600"})

    page = page_folder()
    if page.is_dir():

        @app.get("/", include_in_schema=False)
        def index() -> FileResponse:
            return FileResponse(page / PAGE)

        @app.get("/icon.svg", include_in_schema=False)
        def icon() -> FileResponse:
            return FileResponse(page / "icon.svg")

        app.mount("/assets", StaticFiles(directory=page / "assets"), name="assets")
    app.add_middleware(Guard, hosts=hosts, most=MOST_BODY, broken=BROKEN)
    return app


def _refusal(error: FadernetsError) -> tuple[int, str]:
    """The status and the text of an error.

    A subject's page is told of its own mistakes alone. Any other problem is logged for the lab, and the page gets 503,
    upon which it keeps its answers and sends them again.
    """
    if isinstance(error, StudyError):
        return 404 if isinstance(error, UnknownSubject) else 400, str(error)
    log.error("%s", error)
    return 503, UNAVAILABLE
