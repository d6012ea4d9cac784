"""The command `studio`: the address it prints, what it serves there, and how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from browsing import free_port
from websockets.sync.client import connect

from fadernets.engines.model_folder import bundled
from fadernets.errors import FadernetsError
from fadernets.web import guard

COMMAND = [sys.executable, "-m", "fadernets.cli", "studio", "--no-browser"]


@contextmanager
def opened(*options):
    """A studio in a process of its own and the line that it printed."""
    process = subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


def get(address, **options):
    return httpx.get(address, trust_env=False, timeout=30, **options)


def test_the_studio_opens_serves_and_ends():
    with opened("--port", "0") as (process, line):
        found = re.fullmatch(r"fadernets studio: (http://127\.0\.0\.1:\d+/)  \(Ctrl-C ends it\)\n", line)
        assert found, line
        address = found[1]
        assert "<title>" in get(address).text
        assert get(f"{address}api/about").json()["pieces"]
        assert get(address, headers={"host": "evil.example"}).status_code == 421
        with connect(f"{address}api/live".replace("http", "ws")) as live:
            live.send(json.dumps({"piece": "k265", "faders": {}}))
            assert json.loads(live.recv(timeout=30))["piece"] == "k265"
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")


def test_another_address_needs_its_token():
    with opened("--port", "0", "--host", "0.0.0.0") as (process, line):
        found = re.fullmatch(r"fadernets studio: http://(\S+):(\d+)/\?token=([\w-]{22})  \(Ctrl-C ends it\)\n", line)
        assert found, line
        shown, port, token = found.groups()
        assert shown not in ("0.0.0.0", "127.0.0.1", "localhost")
        here = f"http://127.0.0.1:{port}/"
        for path in ("", "api/about", "api/pieces/k545"):
            assert get(here + path).status_code == 401
            assert get(here + path, params={"token": token[:-1]}).status_code == 401
            assert get(here + path, params={"token": token}).status_code == 200
            assert (
                get(here + path, params={"token": token}, headers={"host": f"{shown.upper()}:{port}"}).status_code
                == 200
            )
            assert get(here + path, params={"token": token}, headers={"host": "evil.example"}).status_code == 421
        cookies = get(here, params={"token": token}).cookies
        assert get(f"{here}api/about", cookies=cookies).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0


def test_a_proxy_s_name_is_served_to_those_with_the_token():
    port = free_port()
    with opened("--port", str(port), "--public", "https://studio.example.org") as (_, line):
        token = re.search(r" https://studio\.example\.org/\?token=([\w-]{22})  ", line)[1]
        here, host = f"http://127.0.0.1:{port}/api/about", {"host": "studio.example.org"}
        assert get(here, headers=host).status_code == 401
        assert get(here).status_code == 401  # of the proxy's machine all come
        origin = {"origin": "https://studio.example.org"}
        assert get(here, headers=host | origin, params={"token": token}).status_code == 200
        assert get(here, headers={"host": "evil.example"}, params={"token": token}).status_code == 421


@pytest.mark.parametrize("kind", ["pop-lieder", "rewriter"])
def test_a_model_of_the_user_s(tmp_path, kind):
    mine = shutil.copytree(bundled()[kind], tmp_path / "mine")
    with opened("--port", "0", "--model", str(mine)) as (_, line):
        address = line.split()[2]
        names = [row["name"] for row in get(f"{address}api/about").json()["models"]]
        assert names == ["rewriter", "melody", "pop-lieder", "mine"]
        assert get(f"{address}api/pieces/k265", params={"model": "mine"}).json()["model"] == "mine"


# what it refuses, before anything is opened


@pytest.fixture(autouse=True)
def no_server_here(monkeypatch):
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: pytest.fail("a server was opened"))


def test_a_port_that_is_taken(refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused("studio", "--no-browser", "--port", port)
    assert message == (
        f"fadernets studio: error: --host 127.0.0.1 --port {port}: cannot listen there (Address already in use); "
        "--port 0 takes any that is free"
    )


def test_a_socket_that_is_bound_takes_calls_at_once():
    with guard.listen("127.0.0.1", 0) as listener:
        socket.create_connection(listener.getsockname(), timeout=5).close()
        with pytest.raises(FadernetsError, match="cannot listen there"):
            guard.listen("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize("port", ["-1", "65536", "99999999999"])
def test_ports_that_are_none(refused, port):
    message = refused("studio", "--no-browser", f"--port={port}")
    assert message == f"fadernets studio: error: --port {port}: must lie in 0..65535"


@pytest.mark.parametrize("port", ["abc", "", "80.5"])
def test_ports_that_are_no_number(refused, port):
    assert "argument --port: invalid int value" in refused("studio", "--no-browser", f"--port={port}")


def test_an_address_that_no_proxy_has(refused):
    assert "--public studio: expected an address such as https://" in refused("studio", "--public", "studio")


@pytest.mark.parametrize("host", ["256.0.0.1", "203.0.113.7", "evil.invalid", "x" * 300, "\0"])
def test_hosts_that_are_not_here(refused, host):
    assert "cannot listen there" in refused("studio", "--no-browser", "--port", 0, "--host", host)


def test_folders_that_are_no_model(refused, tmp_path):
    def said(folder):
        return refused("studio", "--no-browser", "--port", 0, "--model", folder)

    assert "is neither a bundled model nor a folder" in said(tmp_path / "none")
    assert "has no model.json" in said(tmp_path)
    for text, message in (
        ("{", "is damaged"),
        ("{}", "is damaged"),
        ("[]", "is damaged"),
        ('{"format": 99}', "format 99"),
    ):
        (tmp_path / "model.json").write_text(text)
        assert message in said(tmp_path)
    (tmp_path / "model.json").write_text('{"format": 2}')
    assert "model.json" in said(tmp_path)
    shutil.copytree(bundled()["pop-lieder"], tmp_path / "mine")
    os.truncate(tmp_path / "mine" / "decoder.onnx", 1000)
    assert "decoder.onnx: is damaged" in said(tmp_path / "mine")


def test_the_browser_opens_at_the_address(monkeypatch, run_here):
    import webbrowser

    shown = []
    monkeypatch.setattr(webbrowser, "open", shown.append)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: [each.close() for each in sockets])
    for host, address in (("127.0.0.1", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")):
        code, out, err = run_here("studio", "--port", 0, "--host", host)
        if "cannot listen" in str(err) and host == "::1":
            continue  # a machine without IPv6
        assert (code, err) == (0, [])
        assert out == f"fadernets studio: {shown[-1]}  (Ctrl-C ends it)\n"
        assert re.fullmatch(rf"http://{re.escape(address)}:\d+/", shown[-1])
