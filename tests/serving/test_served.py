"""`fadernets serve` as its clients see it: edits, stored pieces, errors, health, metrics, the log, and its end."""

import base64
import json
import re
import threading
import time

import pytest
from serving_server import opened

import fadernets
from fadernets.cli.main import main
from fadernets.music.smf import stamped
from fadernets.studio.edit_types import RenderRequest
from fadernets.studio.service import Studio

BARS = {"move": {"rhythm_density": 0.25}, "bars": [[2, 4]], "seed": 5}
AS_FILE = {"accept": "audio/midi"}


def text(data):
    return base64.b64encode(data).decode()


def edited(served, **body):
    """The bytes of an answer."""
    response = served.http.post("/v1/edit", json=body, headers=AS_FILE)
    assert (response.status_code, response.headers["content-type"]) == (200, "audio/midi"), response.text
    return response.content


def test_the_same_bytes_as_by_command_line_python_and_studio(served, theme, tmp_path):
    wanted = fadernets.edit(theme, move=BARS["move"], bars=[(2, 4)], seed=5)
    source, out = tmp_path / "in.mid", tmp_path / "out.mid"
    source.write_bytes(theme)
    line = ["apply", source, out, "--move", "rhythm-density=0.25", "--bars", "2-4", "--seed", 5]
    assert main([*map(str, line)]) == 0
    assert out.read_bytes() == wanted.data
    studio = Studio()
    piece = studio.uploads.add("in.mid", theme).id
    found = studio.render(RenderRequest.model_validate({"piece": piece, "faders": BARS})).data
    (said,) = re.findall(rb"\xff\x01[\x80-\xff]*[\x00-\x7f](fadernets \{.*?\}\})\x00", found, re.DOTALL)
    assert stamped(wanted.data, said.decode()) == found  # which says in itself how it was made
    stored = served.http.post("/v1/pieces", content=theme).json()["piece"]
    assert {edited(served, midi=text(theme), **BARS) for _ in range(3)} == {wanted.data}
    assert edited(served, piece=stored, **BARS) == wanted.data
    answer = served.http.post("/v1/edit", json={"piece": stored, **BARS}).json()
    assert base64.b64decode(answer["midi"]) == wanted.data
    assert answer["report"] == json.loads(json.dumps(wanted.report.as_dict()))
    assert answer["model"] == "rewriter"


def test_the_paper_s_preset_runs_on_the_paper_s_model(served, theme):
    body = {"midi": text(theme), "preset": {"name": "arousal-codes", "amount": 1}, "bars": [[1, 2]]}
    answer = served.http.post("/v1/edit", json=body).json()
    assert answer["model"] == "pop-lieder"
    wanted = fadernets.edit(theme, preset="arousal-codes", amount=1, bars=[(1, 2)])
    assert base64.b64decode(answer["midi"]) == wanted.data
    assert answer["log_odds"] == pytest.approx(wanted.log_odds)


def test_a_variation_is_that_of_the_studio(served, theme):
    body = {**BARS, "variation": {"index": 1, "count": 2}}
    studio = Studio()
    request = {"piece": "k265", "faders": body, "format": "json"}
    report = json.loads(studio.render(RenderRequest.model_validate(request)).data)["report"]
    assert served.http.post("/v1/edit", json={"midi": text(theme), **body}).json()["report"] == report
    body["variation"] = {"index": 2, "count": 2}
    response = served.http.post("/v1/edit", json={"midi": text(theme), **body})
    assert (response.status_code, response.json()["error"]) == (400, "variation 2: of 2 there are 0 to 1")


def test_a_piece_is_stored_until_it_is_removed(served, theme):
    stored = served.http.post("/v1/pieces", content=theme)
    assert stored.status_code == 201
    assert stored.json() == {"piece": stored.json()["piece"], "bytes": len(theme), "hours": 24.0}
    path = f"/v1/pieces/{stored.json()['piece']}"
    assert served.http.delete(path).status_code == 204
    gone = served.http.post("/v1/edit", json={"piece": stored.json()["piece"]})
    assert (gone.status_code, gone.json()["error"]) == (
        404,
        "piece: is not stored, or no longer; send it again to /v1/pieces",
    )
    assert served.http.delete(path).status_code == 404
    assert served.http.delete("/v1/pieces/..%2f..%2fetc").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "give one of midi (base64 of a file) and piece (the id of a stored one)"),
        ({"midi": "TVRo", "piece": "0" * 64}, 400, "give one of midi (base64 of a file) and piece (the id of a st"),
        ({"midi": "?!"}, 400, "midi: is not base64 of a file"),
        ({"midi": text(b"no music")}, 400, "piece.mid: "),
        ({"midi": "k265", "moves": {}}, 422, "moves: Extra inputs are not permitted"),
        ({"midi": "k265", "move": {"speed": 1}}, 400, "piece.mid: "),
        ({"piece": "../../etc/passwd"}, 404, "piece: is not stored"),
        ({"midi": "A" * 3_000_000}, 422, "midi: String should have at most"),
    ],
)
def test_what_cannot_be_done_is_one_line(served, body, status, error):
    response = served.http.post("/v1/edit", json=body)
    assert response.status_code == status
    assert response.json()["error"].startswith(error)
    assert "\n" not in response.json()["error"]


def test_faders_and_models_that_are_none(served, theme):
    for more, error in (
        ({"move": {"speed": 1}}, "move: unknown fader 'speed'"),
        ({"model": "x"}, "model x: is not known"),
    ):
        response = served.http.post("/v1/edit", json={"midi": text(theme), **more})
        assert (response.status_code, response.json()["error"][: len(error)]) == (400, error)


def test_what_is_no_music_is_not_stored(served):
    response = served.http.post("/v1/pieces", content=b"anything else")
    assert response.status_code == 400
    assert served.http.post("/v1/pieces", content=b"MThd" + bytes(2 * 2**20)).status_code == 413


def test_models_health_and_the_document(served):
    offered = served.http.get("/v1/models").json()
    assert offered["default"] == "rewriter"
    assert {"rewriter", "pop-lieder"} <= {row["name"] for row in offered["models"]}
    assert served.http.get("/healthz").json() == {"status": "ok", "workers": 2, "waiting": 0}
    document = served.http.get("/openapi.json").json()
    assert set(document["paths"]) == {"/v1/edit", "/v1/pieces", "/v1/pieces/{piece}", "/v1/models", "/healthz"}
    assert "429" in document["paths"]["/v1/edit"]["post"]["responses"]
    assert served.http.get("/healthz", headers={"host": "evil.example"}).status_code == 421
    answer = served.http.get("/v1/models")
    assert answer.headers["cache-control"] == "no-store"


def test_metrics_count_requests_and_edits(served, theme):
    def value(name):
        found = re.search(rf"^fadernets_{re.escape(name)} (\S+)$", served.http.get("/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    edits, refusals = 'edits_total{model="rewriter"}', 'requests_total{route="/v1/edit",status="400"}'
    before = value(edits), value(refusals)
    edited(served, midi=text(theme), move={"pitch": 1}, bars=[[1, 1]])
    served.http.post("/v1/edit", json={})
    served.http.get("/secret-song.mid")
    assert (value(edits), value(refusals)) == (before[0] + 1, before[1] + 1)
    assert value("workers_alive") == 2
    assert value("queue_length") == 0
    assert value('request_seconds_count{route="/v1/edit"}') >= 2
    assert "secret-song" not in served.http.get("/metrics").text


def test_the_log_has_a_line_a_request_and_nobody_s_music(served, theme):
    def ask(path, client, **more):
        return served.http.post(path, headers={"x-forwarded-for": client, "x-request-id": "My Song"}, **more)

    answer = ask("/v1/edit", "forged, 192.0.2.7", json={"midi": text(theme), "tracks": ["My Secret Song"]})
    assert answer.status_code == 400
    assert "My Secret Song" in answer.json()["error"]  # the client's own words, to the client
    mine = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{16}", mine)
    others = [ask("/v1/edit", client, json={}).headers["x-request-id"] for client in ("192.0.2.7", "192.0.2.8")]
    proxy = served.http.get("/healthz", headers={"x-request-id": "0123abcd-99"})
    assert proxy.headers["x-request-id"] == "0123abcd-99"
    wanted, until = {mine, *others}, time.monotonic() + 5
    while not wanted <= {line.get("request") for line in served.log()} and time.monotonic() < until:
        time.sleep(0.02)
    lines = {line.get("request"): line for line in served.log()}
    line = lines[mine]
    assert list(line) == [*("time", "level", "route", "status", "ms", "bytes_in", "bytes_out", "client", "request")]
    assert (line["route"], line["status"], line["bytes_out"]) == ("/v1/edit", 400, len(answer.content))
    assert line["client"] == lines[others[0]]["client"] != lines[others[1]]["client"]
    logged = "".join(served.lines)
    assert not [word for word in ("Song", "192.0.2", "piece.mid", text(theme)[:20]) if word in logged]


def test_a_client_s_limits(theme):
    with opened("--client-header", "X-Forwarded-For", "--client-rate", 0.1, workers=1) as served:
        asked = {"midi": text(theme), "move": {"pitch": 1}, "bars": [[1, 1]]}
        codes = []
        for client in ("a", "a", "b"):
            response = served.http.post("/v1/edit", json=asked, headers={"x-forwarded-for": client})
            codes.append(response.status_code)
            if response.status_code == 429:
                assert 8 <= int(response.headers["retry-after"]) <= 10
        assert codes == [200, 429, 200]


def test_sigterm_finishes_what_was_accepted(theme):
    with opened(workers=1) as served:
        ended = []
        asked = {"midi": text(theme), "move": {"rhythm_density": 0.2}}
        threads = [
            threading.Thread(target=lambda: ended.append(served.http.post("/v1/edit", json=asked).status_code))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        while served.http.get("/healthz").json()["waiting"] < 2:
            time.sleep(0.01)
        served.process.terminate()
        while (health := served.http.get("/healthz")).status_code == 200:
            time.sleep(0.01)
        assert health.json()["status"] == "stopping"
        late = served.http.post("/v1/edit", json=asked)
        assert (late.status_code, late.headers["retry-after"]) == (503, "1")
        for thread in threads:
            thread.join()
        assert ended == [200, 200, 200]
        assert served.process.wait(20) == 0
