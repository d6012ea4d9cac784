"""The application on workers that end badly: what a client is told, and what one who leaves sets free."""

import asyncio
import base64
import socket
import threading
import time
from contextlib import contextmanager

import hostile_models
import httpx
import pytest
import uvicorn

from fadernets.serving import app as serving_app
from fadernets.serving.app import create
from fadernets.serving.client_limits import ClientLimits
from fadernets.serving.metrics import Metrics
from fadernets.serving.pool import Pool
from fadernets.serving.stores import Folder, PieceStore
from fadernets.web import connections


@contextmanager
def asked(folder, **options):
    """A client of an application with one worker, and its metrics."""
    metrics = Metrics()
    marks, pieces = folder / "marks", folder / "pieces"
    marks.mkdir()
    models = hostile_models.make(marks)
    pool = Pool(models, 1, metrics, **options)
    app = create(pool, PieceStore(Folder(pieces)), models(), metrics, limits=ClientLimits(0, 0))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(connections.settings(app, log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", trust_env=False, timeout=30
        ) as http:
            while not server.started or http.get("/healthz").status_code == 503:
                time.sleep(0.02)
            yield http, metrics
    finally:
        server.should_exit = True
        thread.join()


def body(theme, model="rewriter"):
    return {"midi": base64.b64encode(theme).decode(), "model": model, "move": {"pitch": 1}, "bars": [[1, 1]]}


def test_a_client_who_leaves_frees_the_worker(theme, tmp_path):
    with asked(tmp_path) as (http, metrics):
        with pytest.raises(httpx.ReadTimeout):
            http.post("/v1/edit", json=body(theme, "sleeps"), timeout=0.3)
        assert http.post("/v1/edit", json=body(theme)).status_code == 200
        assert metrics.restarts._value.get() == 1


def test_time_and_queue_have_ends(theme, tmp_path):
    with asked(tmp_path, longest=1.0, most_waiting=1) as (http, _):
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(http.post("/v1/edit", json=body(theme, "sleeps"))))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        while http.get("/healthz").json()["waiting"] < 1:
            time.sleep(0.01)
        refused = http.post("/v1/edit", json=body(theme))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
        assert refused.json()["error"] == "1 requests wait already; ask again later"
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [504, 504]


def test_a_fault_is_a_line_without_its_text(theme, tmp_path, capfd):
    with asked(tmp_path) as (http, _):
        broken = http.post("/v1/edit", json=body(theme, "breaks"))
        assert (broken.status_code, broken.json()["error"]) == (
            500,
            "something broke in the server; its log says where",
        )
        assert http.post("/v1/edit", json=body(theme, "dies-twice")).status_code == 200
    assert "My Song" not in capfd.readouterr().err


def test_old_pieces_go_also_after_a_look_that_failed(tmp_path, monkeypatch, caplog):
    """An error of a kind that nobody foresaw ends one look, not all of them."""
    monkeypatch.setattr(serving_app, "SWEEP_SECONDS", 0.01)

    class FailsAtFirst(Folder):
        looks = 0

        def entries(self):
            self.looks += 1
            if self.looks == 1:
                raise KeyError("size")
            return super().entries()

    class NoWorkers:
        def begin(self):
            pass

        async def close(self):
            pass

    store = PieceStore(FailsAtFirst(tmp_path / "pieces"), keep=-1.0)
    piece = store.put(b"music")
    app = create(NoWorkers(), store, hostile_models.make(tmp_path)(), Metrics())

    async def run():
        async with app.router.lifespan_context(app):
            for _ in range(500):
                if not (tmp_path / "pieces" / piece).exists():
                    return
                await asyncio.sleep(0.01)
            pytest.fail("the piece is kept for ever")

    asyncio.run(run())
    assert [record.message for record in caplog.records] == ["old pieces could not be removed"]
