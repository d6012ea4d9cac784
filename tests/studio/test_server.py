"""The studio's server, a real one on a free port of this machine: what it answers, and what it makes of what is hostile
or broken. Every error is a line of JSON, every answer has the headers that keep the page to itself."""

import contextlib
import io
import json
import logging
import re
import runpy
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import mido
import pytest
import uvicorn
from midi_files import BROKEN, metre, notes, right, save, track
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fadernets.engines.model_folder import bundled
from fadernets.errors import in_megabytes
from fadernets.studio import edit_types, melody_types, server, sockets, types
from fadernets.studio.service import StaleRequest, Studio
from fadernets.studio.sockets import BROKEN as BROKE
from fadernets.studio.uploads import BUNDLED
from fadernets.web import connections, guard
from fadernets.web.piece_limits import MOST_BYTES

ROOT = Path(__file__).parents[2]
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": guard.POLICY,
}


class Breakable(Studio):
    """The studio, and moves that end badly or not at all: by the seed that they ask for."""

    SLOW, BAD = 4001, 4002

    def __init__(self):
        super().__init__()
        self.begun, self.stopped = threading.Event(), threading.Event()

    def edit(self, request, is_stale=lambda: False, tell=None):
        if request.faders.seed == self.BAD:
            raise RuntimeError("a bug")
        if request.faders.seed == self.SLOW:
            self.begun.set()
            for _ in range(3000):
                if is_stale():
                    self.stopped.set()
                    raise StaleRequest
                time.sleep(0.01)
        return super().edit(request, is_stale, tell)


class Served:
    """A server in a thread of its own."""

    def __init__(self, app):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url, self.live = f"http://{self.host}", f"ws://{self.host}/api/live"
        self.uvicorn = uvicorn.Server(connections.settings(app, log_config=None))
        self.thread = threading.Thread(target=self.uvicorn.run, kwargs={"sockets": [self.listener]})

    def __enter__(self):
        self.thread.start()
        while not self.uvicorn.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.uvicorn.should_exit = True
        self.thread.join()

    def client(self, **options):
        def check(response):
            response.read()
            assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
            assert b"Traceback" not in response.content
            assert b"site-packages" not in response.content
            if response.request.url.path.startswith("/api/"):
                assert response.headers["cache-control"] == "no-store"
            if response.status_code >= 400 and response.request.method != "HEAD":
                info = response.json()
                assert list(info) == ["seq", "error"]
                assert info["seq"] is None
                assert len(info["error"].splitlines()) == 1, info

        return httpx.Client(
            base_url=self.url, timeout=60, trust_env=False, event_hooks={"response": [check]}, **options
        )

    def raw(self, data, end=False):
        """What comes back for these bytes, until the server closes. end: the client goes away behind them."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as wire:
            found = b""
            with contextlib.suppress(ConnectionError):
                wire.sendall(data)
                if end:
                    wire.shutdown(socket.SHUT_WR)
                while part := wire.recv(65536):
                    found += part
        return found


@pytest.fixture(scope="module")
def studio():
    return Breakable()


@pytest.fixture(scope="module")
def served(studio):
    with Served(server.create(studio)) as served:
        yield served


@pytest.fixture(scope="module")
def client(served):
    with served.client() as client:
        yield client


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog, request):
    """No test leaves a warning in the server's window but those that are marked."""
    yield
    if "noisy" not in request.fixturenames:
        info = [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
        assert [record.getMessage() for record in info] == []


@pytest.fixture
def noisy():
    """Marks a test during which the server says something in its window."""


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """A number -> the bytes of a piece of its own."""
    path = tmp_path_factory.mktemp("songs") / "song.mid"
    return lambda number: save(path, track(right(16, seed=number), metre(4), name=f"song {number}")).read_bytes()


@pytest.fixture(scope="module")
def piece(client, song):
    """The id of an uploaded piece."""
    return client.post("/api/pieces", params={"name": "song.mid"}, content=song(0)).json()["id"]


@pytest.fixture
def live(served):
    with connect(served.live) as live:
        yield live


def failed(response, status, message=""):
    assert response.status_code == status, response.text
    assert message in response.json()["error"]


def ask(piece, seq=0, draft=True, **faders):
    return {"seq": seq, "piece": piece, "draft": draft, "faders": faders}


def answer(live, **message):
    live.send(json.dumps(message))
    return answered(live)


def answered(live):
    """The next message that is an answer: how far one is may come before it."""
    while "done" in (found := json.loads(live.recv(timeout=60))):
        pass
    return found


CLIP = [60, 128, 64, 128] * 8
KNOBS = {"pitch": 1}


# what it is for


def test_the_page(client):
    response = client.get("/")
    assert response.status_code == 200
    assert "<title>" in response.text
    assert response.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"if-none-match": response.headers["etag"]}).status_code == 304
    script = response.text.partition('src="')[2].partition('"')[0]
    asset = client.get(f"/{script.removeprefix('./').removeprefix('/')}")
    assert asset.status_code == 200
    assert "javascript" in asset.headers["content-type"]
    assert asset.headers["cache-control"] == "no-cache"


def test_a_browser_asks_whether_it_has_the_newest_page(client):
    names = sorted(file.name for file in (guard.page_folder() / "assets").iterdir())
    assert {"index.js", "index.css", "opensheetmusicdisplay.min.js"} <= set(names)
    for name in names:
        etag = client.get(f"/assets/{name}").headers["etag"]
        same = client.get(f"/assets/{name}", headers={"if-none-match": etag})
        assert (same.status_code, same.content) == (304, b"")
        assert (same.headers["cache-control"], same.headers["etag"]) == ("no-cache", etag)
        other = client.get(f"/assets/{name}", headers={"if-none-match": '"another"'})
        assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")


def test_about(client):
    about = types.AboutResponse.model_validate(client.get("/api/about").json())
    assert [row.id for row in about.pieces] == list(BUNDLED)


def test_a_piece_comes_and_is_there(client, song):
    response = client.post("/api/pieces", params={"name": "Grüße.mid"}, content=song(1))
    info = types.PieceInfo.model_validate(response.json())
    assert info.title == "Grüße.mid"
    assert client.get(f"/api/pieces/{info.id}").json() == response.json()
    source = client.get(f"/api/pieces/{info.id}/midi")
    assert (source.content, source.headers["content-type"]) == (song(1), "audio/midi")
    assert source.headers["content-disposition"].startswith(f'attachment; filename="{info.id}.mid"')
    assert client.get("/api/pieces/k545").json()["title"] == BUNDLED["k545"]
    assert client.get("/api/pieces/k545/midi").content[:4] == b"MThd"


def test_edits(client, studio, piece):
    asked = ask(piece, seq=7, draft=False, set={"rhythm_density": 0.75}, seed=3)
    edited = edit_types.EditResponse.model_validate(client.post("/api/edit", json=asked).json())
    wanted = studio.edit(edit_types.EditRequest.model_validate(asked))
    assert edited.model_copy(update={"milliseconds": wanted.milliseconds}) == wanted
    found = client.post("/api/variations", params={"count": 2}, json=asked).json()
    assert [edit_types.EditResponse.model_validate(one).seq for one in found] == [7, 7]
    again = client.post("/api/edit", json=asked | {"faders": asked["faders"] | {"variation": {"index": 1, "count": 2}}})
    assert again.json()["notes"] == found[1]["notes"]


def test_regions_and_how_far_their_faders_go(client, live, studio, piece):
    regions = [{"bars": [[1, 2]], "set": {"dynamics": 90}}, {"bars": [[2, 3]], "move": {"pitch": 3}}]
    body = {"piece": piece, "regions": regions}
    answered = client.post("/api/edit", json=body).json()
    expected = studio.edit(edit_types.EditRequest.model_validate(body)).model_dump(mode="json")
    for each in (answered, expected):
        del each["milliseconds"]
    assert answered == expected
    assert [[s["bar"] for s in row["segments"]] for row in answered["regions"]] == [[1, 2], [2, 3]]
    moved = answer(live, seq=3, draft=True, **body)
    assert (moved["seq"], moved["notes"]) == (3, answered["notes"])
    found = client.get(
        "/api/describe", params={"piece": piece, "bars": "1-2", "tracks": "1", "keep": ["bass:1"]}
    ).json()
    assert found == studio.describe(piece, bars="1-2", tracks="1", keep=["bass:1"]).model_dump(mode="json")
    after = client.post("/api/describe", json={**body, "index": 1}).json()
    assert next(row for row in after["faders"] if row["name"] == "dynamics")["value"] > 60
    failed(client.get("/api/describe", params={"piece": piece, "bars": "x"}), 400, "bars x: expected bar numbers")
    failed(client.get("/api/describe", params={"piece": piece, "tracks": "9"}), 400, "tracks 9: no such pitched track")
    failed(client.get("/api/describe", params={"piece": "0" * 24}), 404, "is not here any more")
    failed(client.get("/api/describe"), 422)
    failed(client.post("/api/edit", json=body | {"regions": [{"layer": 1}]}), 422, "layer")
    failed(client.post("/api/edit", json=body | {"regions": regions * 33}), 422, "regions")
    failed(client.post("/api/edit", json=body | {"faders": {"seed": 3}}), 400, "regions: each has faders of its own")


@pytest.mark.parametrize("format", ["midi", "json", "musicxml", "wav"])
def test_files(client, piece, format):
    response = client.post("/api/render", json={**ask(piece, move={"pitch": 1}), "format": format})
    starts = {"midi": b"MThd", "json": b"{", "musicxml": b"<?xml", "wav": b"RIFF"}
    assert response.content.startswith(starts[format])
    assert 'filename="song-edited.' in response.headers["content-disposition"]
    if format == "midi":
        assert mido.MidiFile(file=io.BytesIO(response.content)).length > 0


def test_files_are_called_after_the_piece(client, song):
    name = 'a "b" ä\r\nSet-Cookie: x=y 猫?.mid'
    piece = client.post("/api/pieces", params={"name": name}, content=song(2)).json()["id"]
    info = client.post("/api/render", json=ask(piece)).headers
    assert "set-cookie" not in info
    assert info["content-disposition"] == (
        "attachment; filename=\"a 'b' _ Set-Cookie: x=y __-edited.mid\"; "
        "filename*=UTF-8''a%20%22b%22%20%C3%A4%20Set-Cookie%3A%20x%3Dy%20%E7%8C%AB%3F-edited.mid"
    )


def test_melodies(client, piece):
    found = melody_types.MelodyInfo.model_validate(client.get(f"/api/pieces/{piece}/melody").json())
    assert client.get(f"/api/pieces/{piece}/melody", params={"track": "1"}).json()["clips"] == found.clips
    turned = client.post("/api/melody/turn", json={"seq": 3, "clips": found.clips, "knobs": KNOBS}).json()
    assert melody_types.TurnResponse.model_validate(turned).seq == 3
    request = {"a": found.clips, "b": turned["clips"], "rows": 2, "columns": 2}
    blend = client.post("/api/melody/blend", json=request)
    assert client.post("/api/melody/grid", json=request).content == blend.content  # the path until 0.2
    cells = [melody_types.BlendCell.model_validate_json(line) for line in blend.text.splitlines()]
    assert [(cell.row, cell.column) for cell in cells] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert blend.headers["content-type"] == "application/x-ndjson"
    file = client.post("/api/melody/file", json={"clips": [CLIP], "name": "../../tune"})
    assert len(notes(file.content)) == 16
    assert 'filename="tune.mid"' in file.headers["content-disposition"]
    sung = client.post("/api/melody/sing", json={"piece": piece, "knobs": KNOBS})
    assert sung.content[:4] == b"MThd"


def test_moves_over_the_socket(live, client, piece):
    asked = ask(piece, seq=5, set={"rhythm_density": 0.5})
    edited = answer(live, **asked)
    posted = client.post("/api/edit", json=asked).json()
    assert edited | {"milliseconds": 0} == posted | {"milliseconds": 0}
    missing = answer(live, **ask("none", seq=6))
    assert missing == {"seq": 6, "error": "piece none: is not here any more; open its file again"}
    assert answer(live, **asked)["notes"] == edited["notes"]


def test_the_openapi_documents_are_the_servers_own(tmp_path, monkeypatch):
    script = ROOT / "scripts" / "write_openapi.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    for name in ("openapi.json", "openapi-listening.json"):
        written, kept = ((folder / name).read_text("utf-8") for folder in (tmp_path, ROOT / "studio"))
        assert written == kept, "run: python scripts/write_openapi.py studio, then npm run types in studio/"


# broken input


@pytest.mark.parametrize("name", [name for name in BROKEN if not name.startswith("noise")])
def test_what_is_no_music(client, tmp_path, name):
    data = BROKEN[name](tmp_path / "in.mid").read_bytes()
    failed(client.post("/api/pieces", params={"name": "in.mid"}, content=data), 400)


def test_5000_bars(client, tmp_path):
    data = save(tmp_path / "in.mid", track([(0, 1, 60, 80), (19_999, 1, 60, 80)], metre(4))).read_bytes()
    failed(client.post("/api/pieces", content=data), 400, "untitled: 5000 bars; the studio takes 1000.")


@pytest.mark.parametrize("more", [1, 20_000_000])
def test_more_than_two_megabytes(client, more):
    data = b"MThd" + bytes(MOST_BYTES - 4 + more)
    said = f"a file of {in_megabytes(len(data))}; at most 2 MB are taken"
    failed(client.post("/api/pieces", content=data), 413, said)

    def chunks():
        for at in range(0, len(data), 65536):
            yield data[at : at + 65536]

    failed(client.post("/api/pieces", content=chunks()), 413, "at most 2 MB are taken")


def test_bodies_of_json_have_a_limit_too(client, piece):
    long = {"piece": piece, "faders": {}, "more": "x" * (MOST_BYTES + 1)}
    failed(client.post("/api/edit", json=long), 413)
    failed(client.post("/api/edit", content=iter([json.dumps(long).encode()])), 413)
    failed(client.post("/api/edit", content=b"[" * 250_000, headers={"content-type": "application/json"}), 400)


HEAD = b"POST /api/pieces HTTP/1.1\r\nHost: %s\r\nContent-Type: audio/midi\r\n"


def test_bodies_that_are_not_as_long_as_they_say(served, song, client):
    head = HEAD % served.host.encode()
    short = served.raw(head + b"Content-Length: 5000\r\n\r\n" + song(3), end=True)
    assert short == b"" or b" 400 " in short.splitlines()[0]
    long = served.raw(head + b"Connection: close\r\nContent-Length: 100\r\n\r\n" + song(3))
    assert b" 400 " in long.splitlines()[0]
    assert b"is damaged" in long
    assert client.get("/api/about").status_code == 200


@pytest.mark.usefixtures("noisy")
@pytest.mark.parametrize(
    "given",
    [
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_bodies_of_no_length(served, client, given):
    found = served.raw(HEAD % served.host.encode() + given + b"x" * 100)
    assert b"Traceback" not in found
    assert found.split()[1] == b"400"
    assert client.get("/api/about").status_code == 200


def test_bodies_of_any_length_at_all(served):
    for size in (b"99999999999999999999", b"2097153"):
        found = served.raw(HEAD % served.host.encode() + b"Connection: close\r\nContent-Length: " + size + b"\r\n\r\n")
        assert found.split()[1] == b"413"


@pytest.mark.usefixtures("noisy")
def test_noise_is_no_request(served, client):
    assert b" 400 " in served.raw(bytes(range(256)) * 4).splitlines()[0]
    assert client.get("/api/about").status_code == 200


def test_unknown_models_and_pieces(client, piece):
    for model in ("none", "../pop-lieder", "/etc/passwd", "melody"):
        failed(client.get(f"/api/pieces/{piece}", params={"model": model}), 400, f"model {model}: ")
        for path in ("edit", "variations", "render"):
            failed(client.post(f"/api/{path}", json=ask(piece) | {"model": model}), 400, f"model {model}: ")
    for path in ("edit", "variations", "render"):
        failed(client.post(f"/api/{path}", json=ask("none")), 404, "open its file again")
    failed(client.get("/api/pieces/none"), 404, "piece none: is not here any more; open its file again")
    failed(client.post("/api/melody/sing", json={"piece": "none", "knobs": {}}), 404, "open its file again")


VALID = {
    "edit": lambda piece: ask(piece, preset={"name": "arousal", "amount": 1}, variation={"index": 0, "count": 1}),
    "variations": lambda piece: ask(piece),
    "render": lambda piece: {**ask(piece), "format": "midi"},
    "melody/turn": lambda piece: {"clips": [CLIP], "knobs": KNOBS},
    "melody/blend": lambda piece: {"a": [CLIP], "b": [CLIP], "rows": 2, "columns": 2},
    "melody/file": lambda piece: {"clips": [CLIP], "name": "x"},
    "melody/sing": lambda piece: {"piece": piece, "knobs": KNOBS},
}


@pytest.mark.parametrize("path", VALID)
def test_unknown_fields_at_every_level(client, piece, path):
    whole = VALID[path](piece)
    assert client.post(f"/api/{path}", json=whole).status_code == 200

    def objects(value, where=()):
        if isinstance(value, dict):
            yield where
            for key, each in value.items():
                yield from objects(each, (*where, key))

    for where in objects(whole):
        other = json.loads(json.dumps(whole))
        inside = other
        for key in where:
            inside = inside[key]
        inside["surprise"] = 1
        failed(client.post(f"/api/{path}", json=other), 422, ".".join((*where, "surprise")))


@pytest.mark.parametrize("path", VALID)
@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"1", b"{}", b'"x"', b"{", b"\xff\xfe", b"x=1", b'{"\\ud800": 1}']
)
def test_bodies_that_are_no_request(client, path, body):
    response = client.post(f"/api/{path}", content=body, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)


WRONG = {
    "seq": ["x", 1.5, None, [], {}],
    "piece": [1, None, [], "x" * 201],
    "model": [1, None, "x" * 201],
    "draft": ["maybe", None, 3],
    "faders": [None, [], 1, "x"],
}
WRONG_FADERS = {
    "set": [None, [], {"tempo": None}, {"tempo": {}}, {"tempo": [1]}, {"tempo": [1, 2, 3]}, {"tempo": ["a", "b"]}],
    "move": [1, {"tempo": "x"}, {"tempo": [1, 2, 3]}, {"x" * 201: 1}, {str(i): 1 for i in range(33)}],
    "per_bar": [1, {"tempo": 1}, {"tempo": {"one": 1}}, {"tempo": {"1": "x"}}, {"tempo": {"1.5": 1}}],
    "preset": [1, {}, {"name": "arousal"}, {"name": 1, "amount": 1}, {"name": "arousal", "amount": "x"}],
    "faithfulness": [-0.1, 1.1, "x", None],
    "bars": [1, [1], [[1]], [[1, 2, 3]], [["a", "b"]], [[1.5, 2]], [[1, 2]] * 1001],
    "locked": [1, ["x"], [1.5], [1] * 1001, None],
    "tracks": [1, [1], ["x"] * 129, ["x" * 201]],
    "seed": [-1, 2**32, 1.5, "x", None],
    "variation": [1, {}, {"index": 0}, {"index": -1, "count": 1}, {"index": 8, "count": 8}, {"index": 0, "count": 9}],
}


@pytest.mark.parametrize("name", [*WRONG, *WRONG_FADERS])
def test_wrong_values(client, piece, name):
    for value in (WRONG | WRONG_FADERS)[name]:
        asked = ask(piece) | {name: value} if name in WRONG else ask(piece, **{name: value})
        response = client.post("/api/edit", json=asked)
        failed(response, 422, name)
        assert len(response.content) < 2000


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_none(client, live, piece, value):
    for faders in (
        '{"set": {"tempo": %s}}',
        '{"set": {"tempo": [1, %s]}}',
        '{"move": {"tempo": %s}}',
        '{"per_bar": {"tempo": {"1": %s}}}',
        '{"preset": {"name": "arousal", "amount": %s}}',
        '{"faithfulness": %s}',
    ):
        body = f'{{"piece": "{piece}", "faders": {faders % value}}}'
        failed(client.post("/api/edit", content=body, headers={"content-type": "application/json"}), 422, "faders.")
        live.send(body)
        assert set(json.loads(live.recv())) == {"seq", "error"}
    body = f'{{"clips": {[CLIP]}, "knobs": {{"pitch": {value}}}}}'
    failed(client.post("/api/melody/turn", content=body, headers={"content-type": "application/json"}), 422, "pitch")


def test_wrong_melodies(client):
    for clips in (
        [],
        [[]],
        [CLIP[:-1]],
        [[*CLIP, 1]],
        [[130, *CLIP[1:]]],
        [[-1, *CLIP[1:]]],
        [CLIP] * 65,
        [[1.5] * 32],
    ):
        failed(client.post("/api/melody/turn", json={"clips": clips, "knobs": {}}), 422, "clips")
        failed(client.post("/api/melody/file", json={"clips": clips}), 422, "clips")
        failed(client.post("/api/melody/blend", json={"a": [CLIP], "b": clips}), 422, "b")
    for size in (1, 9, -1, 10**9, "x", 2.5):
        failed(client.post("/api/melody/blend", json={"a": [CLIP], "b": [CLIP], "rows": size}), 422, "rows")
    for tempo in (0, 19, 301, -1, 1e300):
        failed(client.post("/api/melody/file", json={"clips": [CLIP], "tempo": tempo}), 422, "tempo")
    failed(client.post("/api/melody/file", json={"clips": [CLIP], "format": "exe"}), 422, "format")


def test_what_the_studio_refuses_is_a_line(client, piece):
    failed(client.post("/api/edit", json=ask(piece, set={"key": 99})), 400, "key 99: must lie in 0..23")
    failed(client.post("/api/edit", json=ask(piece, set={"x\ny": 1})), 400, "set: unknown fader")
    failed(client.post("/api/variations?count=9", json=ask(piece)), 422, "count")
    failed(client.post("/api/variations?count=0", json=ask(piece)), 422, "count")
    failed(client.post("/api/edit", json=ask(piece, set={"tempo": 1}, move={"tempo": 1})), 400, "give one of them")


def test_other_ways_and_methods(client):
    failed(client.get("/api/nothing"), 404)
    failed(client.get("/nothing.html"), 404)
    failed(client.get("/api/edit"), 404)
    failed(client.delete("/api/pieces/k545"), 405)
    failed(client.post("/"), 405)
    for path in ("/docs", "/redoc"):
        failed(client.get(path), 404)
    assert client.head("/").status_code == 200


# paths


def odd_names():
    up = "../../../../../../etc/passwd"
    yield from (up, up.replace("/", "%2f"), up.replace(".", "%2e").replace("/", "%2f"), up.replace("..", "%2e%2e"))
    yield from (
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "file:///etc/passwd",
        "file:%2f%2f%2fetc%2fpasswd",
        "..%5c..%5cwin.ini",
    )
    yield from (
        "%252e%252e%252fetc%252fpasswd",
        "k545%00",
        "%00",
        ".",
        "..",
        "~root",
        "C:%5cboot.ini",
        "%ff%fe",
        "a%0ab",
    )
    yield from ("x" * 5000, "k545/../k265", "k545.mid", "assets/k545", "%F0%9F%8E%B9")


@pytest.mark.parametrize("name", list(odd_names()), ids=lambda name: name[:40])
def test_no_path_leads_out(served, client, name):
    """Sent as they are: a client of httpx's would tidy them first."""
    for path in (
        f"/api/pieces/{name}",
        f"/api/pieces/{name}/midi",
        f"/api/pieces/{name}/melody",
        f"/{name}",
        f"/assets/{name}",
    ):
        head = f"GET {path} HTTP/1.1\r\nHost: {served.host}\r\nConnection: close\r\n\r\n"
        found = served.raw(head.encode())
        status, body = found.split()[1], found.partition(b"\r\n\r\n")[2]
        assert b"root:x:" not in found
        assert b"Traceback" not in found
        if status == b"200":  # a path that goes nowhere but to the page or to a bundled piece
            assert name in (".", "..", "k545/../k265")
            continue
        assert status in (b"404", b"307"), found
        if status == b"404":
            assert len(json.loads(body)["error"].splitlines()) == 1
        assert b"x-frame-options" in found.lower()


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "..\\..\\win.ini", "\0", "a\nb"]
)
def test_no_name_leads_out(client, song, piece, name):
    info = client.post("/api/pieces", params={"name": name}, content=song(4)).json()
    assert info["title"] in ("passwd", "win.ini", "untitled", "a b")
    failed(client.get(f"/api/pieces/{piece}/melody", params={"track": name}), 400, "no such pitched track")
    failed(client.get(f"/api/pieces/{piece}", params={"model": name}), 400, "is not known")
    failed(client.post("/api/melody/sing", json={"piece": piece, "track": name, "knobs": {}}), 400, "no such")
    failed(client.post("/api/melody/sing", json={"piece": name, "knobs": {}}), 404)
    failed(client.post("/api/edit", json=ask(name)), 404)
    failed(client.post("/api/edit", json=ask(piece, tracks=[name])), 400, "no such pitched track")
    failed(client.post("/api/edit", json=ask(piece, preset={"name": name, "amount": 1})), 400, "is not known")
    file = client.post("/api/melody/file", json={"clips": [CLIP], "name": name})
    assert "/" not in file.headers["content-disposition"].replace("'/", "")
    assert ".." not in file.headers["content-disposition"]


@pytest.mark.parametrize("model", ["none", "..%2fpop-lieder", "%2fetc%2fpasswd", "..", "%00"])
def test_no_model_leads_out(served, model):
    for path in (f"/api/inspect/{model}", f"/api/map/{model}"):
        head = f"GET {path} HTTP/1.1\r\nHost: {served.host}\r\nConnection: close\r\n\r\n"
        found = served.raw(head.encode())
        assert found.split()[1] in (b"400", b"404")
        assert list(json.loads(found.partition(b"\r\n\r\n")[2])) == ["seq", "error"]


def test_a_model_of_the_hub_has_a_slash_in_its_name():
    models = {"someone/pop-lieder": bundled()["pop-lieder"]}
    with Served(server.create(Studio(models))) as served, served.client() as client:
        answers = [client.get(f"/api/map/{name}").json() for name in ("someone%2Fpop-lieder", "pop-lieder")]
    assert answers[0]["points"] == answers[1]["points"]


def test_wrong_places_of_the_map(client):
    failed(client.get("/api/map/pop-lieder", params={"method": "umap"}), 422, "method")
    failed(client.post("/api/map/decode", json={"surprise": 1}), 422)
    failed(client.post("/api/map/decode", content=b"null", headers={"content-type": "application/json"}), 422)


def test_names_are_no_longer_than_may_be(client, song):
    failed(client.post("/api/pieces", params={"name": "x" * 201}, content=song(4)), 422, "name")
    failed(client.get("/api/pieces/k545/melody", params={"track": "x" * 201}), 422, "track")


# hosts, origins, tokens


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "", "[::1", "0.0.0.0:{port}"]
)
def test_other_hosts_are_refused(served, client, host):
    host = host.format(port=served.port)
    for path in ("/", "/api/about", "/api/pieces/k545"):
        failed(client.get(path, headers={"host": host}), 421, "is not served here")
    assert _refused(served, host=host) == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:8765", "127.0.0.1:1"])
def test_its_own_hosts_are_served(client, host):
    assert client.get("/api/about", headers={"host": host}).status_code == 200


ORIGINS = [
    "http://evil.example",
    "null",
    "",
    "http://127.0.0.1",
    "http://localhost:{port}",
    "file://",
    "http://[",
    "x" * 3000,
]


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin[:30])
def test_other_origins_are_refused(served, client, song, origin):
    origin = origin.format(port=served.port)
    failed(client.get("/api/about", headers={"origin": origin}), 403, "is another page's")
    failed(client.post("/api/pieces", content=song(5), headers={"origin": origin}), 403, "is another page's")
    assert _refused(served, origin=origin) == 403


def test_its_own_origin_is_served(served, client):
    assert client.get("/api/about", headers={"origin": served.url}).status_code == 200
    assert client.get("/api/about").headers.get("access-control-allow-origin") is None
    with connect(served.live, additional_headers={"origin": served.url}) as live:
        assert answer(live, **ask("k265"))["notes"]


def _refused(served, path="/api/live", **headers):
    """The status that a socket with these headers gets."""
    sent = {"host": served.host, "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    sent |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="} | headers
    lines = [b"%s: %s" % (n.encode(), v if isinstance(v, bytes) else v.encode()) for n, v in sent.items()]
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as wire:
        wire.sendall(b"\r\n".join([b"GET %s HTTP/1.1" % path.encode(), *lines, b"", b""]))
        return int(wire.recv(65536).split()[1])


@pytest.mark.parametrize("path", ["/", "/api/about", "/api/nothing", "/assets/x", "/api/pieces/k545", "/../api/live"])
def test_there_are_two_sockets(served, path):
    assert _refused(served, path) == 403
    assert _refused(served) == _refused(served, sockets.PORT) == 101


@pytest.fixture(scope="module")
def guarded(studio):
    with Served(
        server.create(
            studio, hosts=(*guard.LOOPBACK, "studio.example"), token="s3cret", https_hosts=("studio.example",)
        )
    ) as served:
        yield served


GIVEN = [
    {"params": {"token": "s3cret"}},
    {"headers": {"authorization": "Bearer s3cret"}},
    {"headers": {"cookie": "a=b; fadernets-token-PORT=s3cret; c=d"}},
]


def of_port(given, guarded):
    """What is given to this server, whose cookie has its port in its name."""
    port = guarded.url.rpartition(":")[2]
    headers = {n: v.replace("PORT", port) if isinstance(v, str) else v for n, v in given.get("headers", {}).items()}
    return {**given, "headers": headers} if headers else given


@pytest.mark.parametrize("given", GIVEN, ids=["query", "bearer", "cookie"])
def test_the_token_opens_the_studio(guarded, given):
    given = of_port(given, guarded)
    with guarded.client() as client:
        response = client.get("/api/about", **given)
        assert response.status_code == 200
        cookie = response.headers.get("set-cookie", "")
        assert ("fadernets-token" in cookie) is ("params" in given)
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Secure" not in cookie
        assert client.get("/", **given).status_code == 200


@pytest.mark.parametrize(
    ("headers", "secure"), [({}, False), ({"host": "studio.example"}, True), ({"x-forwarded-proto": "https"}, True)]
)
def test_the_cookie_of_https_is_of_https_alone(guarded, headers, secure):
    with guarded.client() as client:
        cookies = client.get("/api/about", params={"token": "s3cret"}, headers=headers).headers.get_list("set-cookie")
    assert cookies[1].startswith(f"fadernets-token-{guarded.url.rpartition(':')[2]}=s3cret; ")
    assert [cookie.endswith("; Secure") for cookie in cookies] == [secure, secure]


WRONG_TOKENS = [
    {},
    {"params": {"token": ""}},
    {"params": {"token": "s3cre"}},
    {"params": "token=%ff"},
    {"params": "token=s3cret&token=x"},
    {"headers": {"authorization": "Bearer s3cret2"}},
    {"headers": {"authorization": "Basic s3cret"}},
    {"headers": {"authorization": b"Bearer \xff"}},
    {"headers": {"cookie": "fadernets-token-PORT=None"}},
    {"headers": {"cookie": "fadernets-token=s3cret"}},
    {"headers": {"cookie": "fadernets-token-1=s3cret"}},
    {"headers": {"cookie": "other=s3cret"}},
    {"headers": {"cookie": ";;=;fadernets-token"}},
]


@pytest.mark.parametrize("given", WRONG_TOKENS, ids=str)
def test_no_other_token_does(guarded, given):
    given = of_port(given, guarded)
    with guarded.client() as client:
        for path in ("/", "/api/about", "/piano.sf3", "/api/pieces/k545/midi"):
            response = client.get(path, **given)
            failed(response, 401, "needs the token")
            assert "set-cookie" not in response.headers
            assert "s3cret" not in response.text
    assert _refused(guarded, **given.get("headers", {})) == 403


def test_a_page_with_the_cookie_has_the_socket(guarded):
    name = f"fadernets-token-{guarded.url.rpartition(':')[2]}"
    assert _refused(guarded, cookie=f"{name}=s3cre") == 403
    with connect(guarded.live, additional_headers={"cookie": f"{name}=s3cret"}) as live:
        assert answer(live, **ask("k265"))["notes"]


# clients apart


def test_clients_are_apart(served, song):
    """Each has its own pieces, ids and map alone; the same bytes under another name rename nothing of others."""
    data = song(901)
    with served.client() as one, served.client() as two:
        mine = one.post("/api/pieces", params={"name": "mine.mid"}, content=data).json()
        theirs = two.post("/api/pieces", params={"name": "theirs.mid"}, content=data).json()
        assert mine["id"] != theirs["id"]
        assert one.get(f"/api/pieces/{mine['id']}").json()["title"] == "mine.mid"
        for client, own, other in ((one, "mine.mid", "theirs.mid"), (two, "theirs.mid", "mine.mid")):
            titles = {point["title"] for point in client.get("/api/map/pop-lieder").json()["points"]}
            assert own in titles
            assert other not in titles
        again = one.post("/api/pieces", params={"name": "renamed.mid"}, content=data).json()
        assert (again["id"], again["title"]) == (mine["id"], "renamed.mid")
        assert two.get(f"/api/pieces/{theirs['id']}").json()["title"] == "theirs.mid"


def test_a_session_is_a_cookie_of_the_browser_s_own(served):
    with served.client() as client:
        cookie = client.get("/api/about").headers["set-cookie"]
        assert re.match(
            rf"fadernets-session-{served.port}=[\w-]{{22}}; Max-Age=\d+; Path=/; HttpOnly; SameSite=Strict$", cookie
        )
        assert "set-cookie" not in client.get("/api/about").headers
    with served.client() as client:
        for bad in ("", "short", "x" * 5000, "../" * 8, "a b" * 7):
            sent = {"cookie": f"fadernets-session-{served.port}={bad}"}
            assert "set-cookie" in client.get("/api/about", headers=sent).headers
            client.cookies.clear()


# many at once


def test_50_uploads_at_once(served, song):
    """All are answered or, where they are too many, told to wait in one line."""
    data, waited = [song(100 + i) for i in range(50)], []
    with served.client(limits=httpx.Limits(max_connections=50)) as client, ThreadPoolExecutor(50) as pool:
        client.get("/api/about")

        def upload(number):
            while True:
                response = client.post("/api/pieces", params={"name": f"{number}.mid"}, content=data[number])
                if response.status_code == 200:
                    break
                assert response.status_code in (429, 503)
                waited.append(response.json()["error"])
                time.sleep(0.05)
            info = response.json()
            return info["title"], len(info["notes"]["onset"])

        found = list(pool.map(upload, range(50)))
    assert found == [(f"{i}.mid", len(notes(data[i]))) for i in range(50)]
    assert any("requests of yours are being answered; wait for one of them" in line for line in waited)


def test_the_newest_move_wins(live, piece):
    for seq in range(1, 51):
        live.send(json.dumps(ask(piece, seq=seq, draft=False, set={"rhythm_density": seq / 50})))
    found = []
    while not found or found[-1]["seq"] != 50:
        found.append(answered(live))
    assert len(found) <= 10
    assert found[-1]["means"]["asked"]["rhythm_density"] == 1
    seqs = [each["seq"] for each in found]
    assert seqs == sorted(seqs)
    with pytest.raises(TimeoutError):
        live.recv(timeout=0.3)


def test_the_roll_follows_while_a_fader_is_dragged(live, piece):
    """Drafts that come faster than they are made do not keep each other from ever being shown."""
    found, end = [], time.monotonic() + 60
    for seq in range(1, 10_000):
        live.send(json.dumps(ask(piece, seq=seq, set={"rhythm_density": (seq % 50) / 50})))
        with contextlib.suppress(TimeoutError):
            found.append(json.loads(live.recv(timeout=0.01))["seq"])
        if len(found) == 4:
            break
        assert time.monotonic() < end
    assert found[-1] < seq
    while found[-1] != seq:
        found.append(json.loads(live.recv(timeout=60))["seq"])


@pytest.mark.parametrize("how", ["close", "abort"])
def test_a_client_that_vanishes_lets_others_in(served, client, studio, how):
    studio.begun.clear()
    studio.stopped.clear()
    with connect(served.live) as live:
        live.send(json.dumps(ask("k265", seed=studio.SLOW)))
        assert studio.begun.wait(20)
        start = time.monotonic()
        if how == "abort":
            live.socket.shutdown(socket.SHUT_RDWR)
    assert client.post("/api/edit", json=ask("k265")).status_code == 200
    assert time.monotonic() - start < 15  # a slow move takes twice as long
    assert studio.stopped.is_set()


def test_a_request_whose_client_vanishes_is_ended(served, client, studio):
    studio.begun.clear()
    studio.stopped.clear()
    body = json.dumps(ask("k265", seed=studio.SLOW)).encode()
    with socket.create_connection(("127.0.0.1", served.port)) as wire:
        head = f"POST /api/edit HTTP/1.1\r\nHost: {served.host}\r\nContent-Type: application/json\r\n"
        wire.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert studio.begun.wait(20)
    start = time.monotonic()
    assert client.post("/api/edit", json=ask("k265")).status_code == 200
    assert time.monotonic() - start < 15
    assert studio.stopped.is_set()


def test_clients_that_vanish_before_and_after(served, client, song):
    for _ in range(5):
        with connect(served.live) as live:
            live.send(json.dumps(ask("k265")))
        head = HEAD % served.host.encode() + b"Content-Length: %d\r\n\r\n" % len(song(0))
        with socket.create_connection(("127.0.0.1", served.port)) as wire:
            wire.sendall(head + song(0)[:50])
        body = json.dumps(ask("k265")).encode()
        with socket.create_connection(("127.0.0.1", served.port)) as wire:
            wire.sendall(b"POST /api/edit HTTP/1.1\r\nHost: %s\r\n" % served.host.encode())
            wire.sendall(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        with socket.create_connection(("127.0.0.1", served.port)) as wire:
            wire.sendall(b"POST /api/edit HTTP/1.1\r\nHost: %s\r\n" % served.host.encode())
            wire.sendall(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:9])
    assert client.post("/api/edit", json=ask("k265")).status_code == 200


# the socket


MALFORMED = [
    ("", "JSON"),
    ("{", "JSON"),
    ("null", "object"),
    ("[]", "object"),
    ("{}", "piece"),
    ('{"piece": "k265", "faders": {}, "x": 1}', "x"),
    ('{"piece": "k265", "faders": {"x": 1}}', "faders.x"),
    ('{"piece": "\\ud800", "faders": {}}', ""),
    ('{"\\ud800": "k265", "faders": {}}', ""),
    ("[" * 100_000, ""),
    ('{"piece": "k265", "faders": {"set": {"tempo": NaN}}}', ""),
    ('{"seq": 1e400, "piece": "k265", "faders": {}}', "seq"),
    ("\x00\x01", "JSON"),
    (b"\x00\xff", "text"),
    (b'{"piece": "k265", "faders": {}}', "text"),
    (b"", "text"),
    ("x" * (sockets.MOST_MESSAGE + 1), f"at most {sockets.MOST_MESSAGE}"),
]


@pytest.mark.parametrize(("message", "error_text"), MALFORMED, ids=lambda value: repr(value)[:30])
def test_a_bad_message_is_answered_and_the_next_one_works(live, message, error_text):
    live.send(message)
    found = json.loads(live.recv(timeout=20))
    assert list(found) == ["seq", "error"]
    assert found["seq"] is None
    assert error_text in found["error"]
    assert len(found["error"].splitlines()) == 1
    assert len(found["error"]) < 1000
    assert answer(live, **ask("k265", seq=3))["seq"] == 3


@pytest.mark.parametrize(
    "message",
    [
        '{"seq": 12, "piece": "k265", "faders": {"x": 1}}',
        '{"piece": "k265", "surprise": {}, "seq": 12}',
        '{"seq":12,"piece": ',
        '{"seq": 12, "piece": "' + "x" * sockets.MOST_MESSAGE + '"}',
    ],
    ids=lambda value: value[:30],
)
def test_a_refused_message_comes_back_with_its_number(live, message):
    live.send(message)
    assert json.loads(live.recv(timeout=20))["seq"] == 12


def test_ten_thousand_notes_may_be_kept(client, piece):
    notes = ",".join(f"{999 - i % 800}.{1 + i % 9}:{i % 128}" for i in range(10_000))
    assert len(notes) > 80_000
    response = client.post("/api/edit", json=ask(piece, keep=[notes], move={"dynamics": 5}))
    assert response.status_code == 400  # it is read, and this piece has no such bars
    assert "bar" in response.json()["error"]
    assert len(response.content) < 2000
    failed(client.post("/api/edit", json=ask(piece, keep=["1" * 120_001])), 422, "keep")
    known = client.get(f"/api/pieces/{piece}").json()["notes"]["pitch"][0]
    many = ",".join([f"1.1:{known}"] * 40)
    assert client.post("/api/edit", json=ask(piece, keep=[many], move={"dynamics": 5})).status_code == 200


def test_a_message_in_parts(live):
    text = json.dumps(ask("k265", seq=8))
    live.send(iter([text[:10], text[10:20], text[20:]]))
    assert json.loads(live.recv(timeout=20))["seq"] == 8


def test_a_huge_message_closes_the_socket(served, client):
    with connect(served.live) as live:
        live.send("x" * (2**20 + 1))
        with pytest.raises(ConnectionClosed) as error:
            live.recv(timeout=20)
    assert error.value.rcvd.code == 1009
    assert client.get("/api/about").status_code == 200


@pytest.mark.usefixtures("noisy")
def test_a_message_of_no_text_closes_the_socket(served, client):
    with connect(served.live) as live:
        live.send(b"\xff\xfe", text=True)
        with pytest.raises(ConnectionClosed):
            live.recv(timeout=20)
    assert client.get("/api/about").status_code == 200


# what breaks in the server


@pytest.mark.usefixtures("noisy")
def test_a_bug_is_one_line_for_the_client_and_a_traceback_for_the_window(client, live, studio, caplog):
    asked = ask("k265", seq=4, seed=studio.BAD)
    assert answer(live, **asked) == {"seq": 4, "error": BROKE}
    assert answer(live, **ask("k265", seq=5))["seq"] == 5
    failed(client.post("/api/edit", json=asked), 500, BROKE)
    assert client.get("/api/about").status_code == 200
    assert any(record.exc_info and "a bug" in str(record.exc_info[1]) for record in caplog.records)


def test_a_server_started_anew_does_not_know_the_piece(served, client, piece):
    assert client.get(f"/api/pieces/{piece}").status_code == 200
    with Served(server.create(Studio())) as other, other.client() as anew:
        failed(anew.get(f"/api/pieces/{piece}"), 404, f"piece {piece}: is not here any more; open its file again")
        with connect(other.live) as live:
            info = answer(live, **ask(piece, seq=2))
            assert info == {"seq": 2, "error": f"piece {piece}: is not here any more; open its file again"}
        data = client.get(f"/api/pieces/{piece}/midi").content
        first, again = (anew.post("/api/pieces", content=data).json()["id"] for _ in range(2))
        assert first == again
        with Served(server.create(Studio())) as third, third.client() as browser:
            browser.cookies.set(f"fadernets-session-{third.port}", anew.cookies[f"fadernets-session-{other.port}"])
            assert browser.post("/api/pieces", content=data).json()["id"] == again  # of the same browser


def test_a_server_ends_while_sockets_are_open():
    with contextlib.ExitStack() as stack:
        with Served(server.create(Studio())) as other:
            live = stack.enter_context(connect(other.live))
            answer(live, **ask("k265"))
        with pytest.raises(ConnectionClosed):
            live.recv(timeout=5)


# pure parts


def test_names_of_hosts():
    for host, name in (("a.b:80", "a.b"), ("A.B", "a.b"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("", ""), (":80", "")):
        assert guard.hostname(host) == name


def test_loopback():
    assert all(guard.is_loopback(host) for host in ("127.0.0.1", "127.8.0.1", "::1", "localhost"))
    assert not any(guard.is_loopback(host) for host in ("0.0.0.0", "::", "192.168.0.1", "evil.example", ""))
