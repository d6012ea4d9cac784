"""The container: its file is linted, and where an engine answers it is built and run."""

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "Containerfile"
MOST_BYTES = 400 * 10**6  # of the image
COMPARED = ("apt-get", "curl", "wget")  # nothing is loaded but Python packages


def engine():
    """A container engine whose service answers; None where there is none."""
    for name in ("docker", "podman"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True, timeout=30).returncode == 0:
            return name
    return None


def instructions():
    """(instruction, the rest) of each line, continued ones joined, without comments."""
    text = re.sub(r"\\\n\s*", "", FILE.read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def every(name):
    return [rest for instruction, rest in instructions() if instruction == name]


def test_two_stages_of_one_pinned_base():
    stages = every("FROM")
    assert len(stages) == 2
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+ AS build", stages[0])
    assert stages[1] == stages[0].removesuffix(" AS build")
    second = instructions()[[name for name, _ in instructions()].index("FROM", 1) :]
    assert [rest for name, rest in second if name == "COPY"] == ["--from=build /opt/fadernets /opt/fadernets"]
    assert not [rest for name, rest in second if name == "RUN"]


def test_it_does_not_run_as_root():
    (user,) = every("USER")
    names = [name for name, _ in instructions()]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert names.index("USER") < names.index("ENTRYPOINT")


def test_nothing_comes_from_anywhere_but_the_folder_and_the_package_index():
    assert not every("ADD")
    assert not [rest for rest in every("RUN") if any(word in rest for word in COMPARED)]
    assert "--no-cache-dir" in every("RUN")[-1]
    assert "-c versions.txt" in every("RUN")[-1]


def test_it_says_its_port_its_health_and_its_command():
    (port,) = every("EXPOSE")
    (health,) = every("HEALTHCHECK")
    assert f"127.0.0.1:{port}/healthz" in health
    from fadernets.cli.serve import PORT

    assert int(port) == PORT
    assert json.loads(every("ENTRYPOINT")[0]) == ["fadernets"]
    assert json.loads(every("CMD")[0])[0] == "serve"


def test_what_is_copied_is_not_ignored_and_nothing_else_is_sent():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    sent = {line[1:] for line in lines if line[0] == "!"}
    copied = {name for rest in every("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert sent == copied
    assert all((ROOT / name).exists() for name in sent)


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing():
    done = subprocess.run(["hadolint", FILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_it_is_small_and_runs_on_a_read_only_file_system():
    name = engine()
    if name is None:
        pytest.skip("no container engine answers")
    subprocess.run([name, "build", "-f", FILE, "-t", "fadernets-test", ROOT], check=True, timeout=900)
    inspect = [name, "image", "inspect", "fadernets-test", "--format", "{{.Size}}"]
    assert int(subprocess.run(inspect, capture_output=True, text=True, check=True).stdout) < MOST_BYTES
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [name, "run", "--rm", "-d", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]
    command += ["-p", f"127.0.0.1:{port}:8767", "fadernets-test"]
    container = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        for _ in range(120):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            time.sleep(0.5)
        data = (ROOT / "src" / "fadernets" / "assets" / "k265.mid").read_bytes()
        address = f"http://127.0.0.1:{port}/v1/pieces"
        assert httpx.post(address, content=data, trust_env=False, timeout=60).status_code == 201
        user = subprocess.run([name, "exec", container, "id", "-u"], capture_output=True, text=True, check=True).stdout
        assert user.strip() != "0"
    finally:
        subprocess.run([name, "stop", container], capture_output=True, check=False)
