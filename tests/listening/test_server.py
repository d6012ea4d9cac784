"""The listening test over HTTP: what subjects and others may ask, and that nothing said is lost."""

import json
import re
import signal
import socket
import threading
from typing import ClassVar

import httpx
import pytest
from browsing import free_port, start, stop_server
from listeners import WAV, rate, served, tokens_of, write_study

from fadernets.listening import server, study_files
from fadernets.listening.study_files import ANSWERS, MEDIA
from fadernets.web import guard as web_guard

WAYS = ["up", "down", "up"]


class Subject:
    """Somebody with a link."""

    all: ClassVar[list] = []

    def __init__(self, address, token):
        self.http = httpx.Client(base_url=f"{address}api/", params={"s": token}, trust_env=False, timeout=10)
        self.all.append(self.http)

    def state(self):
        return self.http.get("state").raise_for_status().json()

    def consent(self):
        return self.http.post("consent").raise_for_status().json()

    def answer(self, trial, **part):
        return self.http.post("answer", json={"trial": trial, **part}).raise_for_status().json()

    def complete(self, trial, changed="up", **ratings):
        played = {"original": 1, "transformed": 2, "seconds": 20.5}
        return self.answer(trial, changed=changed, ratings=rate(**ratings), played=played)

    def refusal(self, path="answer", **given):
        """The status and the line of text of a request that is refused."""
        answer = self.http.post(path, **given)
        assert set(answer.json()) == {"seq", "error"}
        assert "\n" not in answer.json()["error"]
        return answer.status_code, answer.json()["error"]


@pytest.fixture(autouse=True)
def _hang_up():
    yield
    while Subject.all:
        Subject.all.pop().close()


@pytest.fixture
def folder(tmp_path):
    return write_study(tmp_path / "study", WAYS)


@pytest.fixture
def address(folder):
    with served(folder) as address:
        yield address


@pytest.fixture
def subject(address, folder):
    return Subject(address, tokens_of(folder)[0])


def test_a_subject_goes_through_the_test(subject, folder):
    state = subject.state()
    assert (state["subject"], state["consent"], state["answered"], state["total"]) == (1, False, 0, 3)
    assert state["consent_text"].startswith("You will hear short pieces")
    assert not (folder / ANSWERS).exists()
    assert subject.consent()["consent"]
    practice = state["practice"]["id"]
    assert subject.answer(practice, changed="up")["practice"]["answer"]["complete"] is False
    for i, aspect in enumerate(rate()):
        state = subject.answer(practice, ratings={aspect: i + 1})
    assert state["practice"]["answer"]["ratings"] == {"rhythm": 1, "melody": 2, "harmony": 3, "naturalness": 4}
    assert state["practice"]["answer"]["complete"]
    for i, trial in enumerate(state["trials"]):
        assert state["next"] == trial["id"]
        state = subject.complete(trial["id"], "none", melody=5)
        assert state["answered"] == i + 1
    assert state["trials"][0]["answer"]["played"] == {"original": 1, "transformed": 2, "seconds": 20.5}
    assert subject.http.post("finish").json()["finished"]
    assert subject.refusal(json={"trial": practice, "changed": "up"}) == (
        400,
        "this subject has finished: answers can no longer be changed",
    )
    assert subject.state()["finished"]
    gone = subject.http.post("withdraw").json()
    assert (gone["consent"], gone["finished"], gone["answered"]) == (False, False, 0)


def test_nothing_that_is_served_tells_a_direction(subject, folder):
    subject.consent()
    text = json.dumps(subject.state() | {"consent_text": ""})
    manifest = study_files.read(folder)
    for trial in manifest.trials:
        assert trial.title not in text
    assert not re.search(r'"(up|down)"|direction|arousal":|before|after', text)


def test_what_comes_first_comes_first(subject):
    state = subject.state()
    practice, first = state["practice"]["id"], state["trials"][0]["id"]
    assert subject.refusal(json={"trial": practice, "changed": "up"})[0] == 400
    assert subject.refusal("finish") == (400, "no consent yet: it comes before everything else")
    sound = subject.http.get(f"sound/{state['practice']['original']}")
    assert (sound.status_code, sound.json()["error"]) == (400, "no consent yet: it comes before everything else")
    subject.consent()
    assert "practice trial comes first" in subject.refusal(json={"trial": first, "changed": "up"})[1]
    subject.complete(practice)
    assert subject.refusal("finish") == (400, "3 of 4 trials have no complete answer yet")


def test_who_has_no_token_gets_nothing(address, folder):
    known = study_files.read(folder).practice
    for token in ("", "x", "../study", "' OR 1=1 --", "é" * 50):
        stranger = Subject(address, token)
        answers = [stranger.http.get(path) for path in ("state", f"sound/{known.original}")]
        answers += [stranger.http.post(path) for path in ("consent", "finish", "withdraw")]
        answers.append(stranger.http.post("answer", json={"trial": known.id}))
        for answer in answers:
            assert answer.status_code == 404
            assert answer.json()["error"] == "this link belongs to no subject of this study"
    assert not (folder / ANSWERS).exists()


def test_without_any_token(address):
    answer = httpx.get(f"{address}api/state", trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (422, "query.s: Field required")
    answer = httpx.get(f"{address}api/state", params={"s": "x" * 201}, trust_env=False)
    assert answer.status_code == 422


def test_foreign_hosts_and_origins(subject, address):
    own = address.rstrip("/")
    for headers, status in (
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:1"}, 403),
        ({"origin": own}, 200),
    ):
        assert subject.http.post("consent", headers=headers).status_code == status, headers


def test_a_name_of_the_lab_s(folder):
    with served(folder, hosts=(*web_guard.LOOPBACK, "listen.example.org")) as address:
        subject = Subject(address, tokens_of(folder)[0])
        behind = {"host": "listen.example.org", "origin": "https://listen.example.org"}  # as a proxy says it
        assert subject.http.post("consent", headers=behind).status_code == 200
        assert subject.http.post("consent", headers={"host": "example.org"}).status_code == 421


REFUSED = [
    ({"changed": "sideways"}, "changed: Input should be 'down', 'none' or 'up'"),
    ({"ratings": {"rhythm": 0}}, "ratings.rhythm: Input should be greater than or equal to 1"),
    ({"ratings": {"rhythm": 6}}, "ratings.rhythm: Input should be less than or equal to 5"),
    ({"ratings": {"rhythm": 2.5}}, "ratings.rhythm: Input should be a valid integer"),
    ({"ratings": {"rhythm": True}}, "ratings.rhythm: Input should be a valid integer"),
    ({"ratings": {"rhythm": "3"}}, "ratings.rhythm: Input should be a valid integer"),
    ({"ratings": {"tempo": 3}}, "ratings.tempo: Extra inputs are not permitted"),
    ({"played": {"original": -1}}, "played.original: Input should be greater than or equal to 0"),
    ({"played": {"seconds": 1e9}}, "played.seconds: Input should be less than or equal to 1000000"),
    ({"played": {"backwards": 1}}, "played.backwards: Extra inputs are not permitted"),
    ({"name": "Ada"}, "name: Extra inputs are not permitted"),
    ({"trial": 7}, "trial: Input should be a valid string"),
    ({"trial": "x" * 65}, "trial: String should have at most 64 characters"),
    ({"trial": None}, "trial: Input should be a valid string"),
]


def test_what_is_not_allowed_is_refused_whole(subject):
    practice = subject.consent()["practice"]["id"]
    for given, where in REFUSED:
        status, error = subject.refusal(json={"trial": practice, **given})
        assert status == 422
        assert error.startswith(where)
    assert subject.state()["practice"]["answer"] is None


def test_broken_requests(subject):
    practice = subject.consent()["practice"]["id"]
    assert subject.refusal(json={"trial": "nowhere", "changed": "up"}) == (400, "trial 'nowhere' is not in this study")
    assert subject.refusal(content=b"{", headers={"content-type": "application/json"})[0] == 422
    nan = f'{{"trial": "{practice}", "played": {{"seconds": NaN}}}}'
    assert subject.refusal(content=nan.encode(), headers={"content-type": "application/json"})[0] == 422
    long = {"trial": practice, "more": "x" * server.MOST_BODY}
    status, error = subject.refusal(json=long)
    assert (status, error.partition(";")[2]) == (413, " at most 16 kB are taken")
    assert subject.refusal(content=(b" " * 1024 for _ in range(20)))[0] in (400, 413)  # it does not say how long it is
    assert subject.state()["practice"]["answer"] is None


def test_sounds_whole_and_in_parts(subject):
    state = subject.consent()
    path = f"sound/{state['trials'][0]['transformed']}"
    whole = subject.http.get(path)
    assert (whole.status_code, whole.content) == (200, WAV)
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["cache-control"] == "private, max-age=3600"
    for asked, part in (("0-1", slice(0, 2)), ("100-", slice(100, None)), ("-10", slice(-10, None))):
        found = subject.http.get(path, headers={"range": f"bytes={asked}"})
        assert (found.status_code, found.content) == (206, WAV[part])
    assert found.headers["content-range"] == f"bytes {len(WAV) - 10}-{len(WAV) - 1}/{len(WAV)}"
    assert subject.http.get(path, headers={"range": f"bytes={len(WAV)}-"}).status_code == 416


OUT = (
    "../study.json",
    "..%2fstudy.json",
    "%2e%2e%2ftokens.csv",
    "..%5ctokens.csv",
    "%2fetc%2fpasswd",
    "a%00b",
    "a" * 300,
)


def test_no_path_leads_out_of_the_sounds(subject, address):
    subject.consent()
    token = subject.http.params["s"]
    more = ("assets/../../server.py", f"{MEDIA}/x.wav", "study.json", "tokens.csv", "index.html")
    for path in (*(f"api/sound/{out}" for out in OUT), *(f"assets/{out}" for out in OUT), *more):
        with (
            socket.create_connection((httpx.URL(address).host, httpx.URL(address).port)) as raw,
            raw.makefile("rb") as answer,
        ):
            raw.sendall(f"GET /{path}?s={token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            assert answer.readline().split()[1] in (b"400", b"404")
            assert set(json.loads(answer.read().partition(b"\r\n\r\n")[2])) == {"seq", "error"}


def test_a_lab_s_trouble_is_no_subject_s(subject, folder, caplog):
    state = subject.consent()
    sound = state["practice"]["original"]
    (folder / MEDIA / f"{sound}.wav").unlink()
    found = subject.http.get(f"sound/{sound}")
    assert (found.status_code, found.json()["error"]) == (503, server.UNAVAILABLE)
    assert str(folder) not in found.text
    assert f"{sound}.wav: is missing" in caplog.text


def test_two_subjects_at_once(address, folder):
    subjects = [Subject(address, token) for token in tokens_of(folder)[:2]]
    for subject, changed in zip(subjects, ("up", "down"), strict=True):
        subject.complete(subject.consent()["practice"]["id"], changed)

    def go(subject, changed):
        for trial in subject.state()["trials"]:
            for aspect in rate():
                subject.answer(trial["id"], ratings={aspect: 2 if changed == "up" else 4})
            subject.answer(trial["id"], changed=changed)

    threads = [threading.Thread(target=go, args=row) for row in zip(subjects, ("up", "down"), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for subject, changed, value in zip(subjects, ("up", "down"), (2, 4), strict=True):
        state = subject.state()
        assert state["answered"] == 3
        assert [t["answer"]["changed"] for t in state["trials"]] == [changed] * 3
        assert {v for t in state["trials"] for v in t["answer"]["ratings"].values()} == {value}


def test_a_new_server_knows_what_the_last_one_was_told(folder):
    token = tokens_of(folder)[2]
    with served(folder) as address:
        subject = Subject(address, token)
        practice = subject.consent()["practice"]["id"]
        subject.answer(practice, changed="down", ratings={"rhythm": 1}, played={"original": 3})
    with served(folder) as address:
        subject = Subject(address, token)
        given = subject.state()["practice"]["answer"]
        assert (given["changed"], given["ratings"]["rhythm"], given["played"]["original"]) == ("down", 1, 3)
        assert subject.answer(practice, ratings=rate(2))["practice"]["answer"]["complete"]


def test_what_keeps_the_page_to_itself(address):
    page = httpx.get(address, trust_env=False)
    assert page.status_code == 200
    assert "<title>Listening test</title>" in page.text
    assert page.headers["content-security-policy"] == web_guard.POLICY
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-cache"
    assert "set-cookie" not in page.headers
    asset = httpx.get(f"{address}assets/listen.js", trust_env=False)
    assert asset.headers["cache-control"] == "no-cache"
    known = {"if-none-match": asset.headers["etag"]}
    assert httpx.get(f"{address}assets/listen.js", headers=known, trust_env=False).status_code == 304
    assert httpx.get(f"{address}icon.svg", trust_env=False).headers["content-type"].startswith("image/svg")
    state = httpx.get(f"{address}api/state?s=x", trust_env=False)
    assert state.headers["cache-control"] == "no-store"


# The command


def test_serve_prints_a_link_for_each_subject_and_ends_by_ctrl_c(folder):
    port = free_port()
    process, line = start("listen", "serve", folder, "--port", port)
    try:
        lines = [line, *(process.stdout.readline() for _ in range(3))]
        links = [f"http://127.0.0.1:{port}/?s={token}" for token in tokens_of(folder)]
        assert [row.split() for row in lines] == [[str(i + 1), link] for i, link in enumerate(links)]
        assert httpx.get(links[0].replace("/?", "/api/state?"), trust_env=False).json()["subject"] == 1
        assert not (folder / ANSWERS).exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stdout.read() == ""
    finally:
        stop_server(process)


def test_serve_behind_a_proxy(folder, run_here, monkeypatch):
    seen = []
    monkeypatch.setattr(web_guard, "serve", lambda app, listener: (seen.append(app), listener.close()))
    given = ("--port", 0, "--public", "https://lab.example.org/hear", "--json")
    code, out, err = run_here("listen", "serve", folder, *given)
    assert (code, err) == (0, [])
    assert [row["link"] for row in json.loads(out)] == [
        f"https://lab.example.org/hear/?s={token}" for token in tokens_of(folder)
    ]
    guard = next(m for m in seen[0].user_middleware if m.cls is web_guard.Guard)
    assert "lab.example.org" in guard.kwargs["hosts"]


def test_what_cannot_be_served(folder, refused, tmp_path, monkeypatch):
    assert f"{tmp_path}: is no study" in refused("listen", "serve", tmp_path)
    assert "--port 70000: must lie in 0..65535" in refused("listen", "serve", folder, "--port", 70000)
    assert "cannot listen there" in refused("listen", "serve", folder, "--host", "no.such.host.invalid")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        info = refused("listen", "serve", folder, "--port", one.getsockname()[1])
    assert "cannot listen there (Address already in use); --port 0 takes any that is free" in info
    for url in (
        "lab.example.org",
        "ftp://lab",
        "https://",
        "https://a@b/",
        "https://lab/?x=1",
        "https://[",
        "http://a:x",
    ):
        expected = f"--public {url}: expected an address such as https://listen.example.org/"
        assert expected in refused("listen", "serve", folder, "--public", url)
    with monkeypatch.context() as patch:
        patch.setattr(web_guard, "page_folder", lambda: tmp_path)
        assert "the page was not built: make page" in refused("listen", "serve", folder, "--port", 0)
    (folder / "tokens.csv").unlink()
    assert "study: has no tokens (tokens.csv)" in refused("listen", "serve", folder, "--port", 0)
