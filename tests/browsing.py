"""A page in a real browser, and the command that serves it."""

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
AXE = HERE / "studio" / "node_modules" / "axe-core" / "axe.min.js"


def start(*arguments):
    """Run fadernets with these arguments. Returns the process and the first line of its output."""
    command = [
        sys.executable,
        "-c",
        "from fadernets.cli.main import main; raise SystemExit(main())",
        *map(str, arguments),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process, process.stdout.readline()


def stop_server(process):
    process.terminate()
    process.wait(10)
    process.stdout.close()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def launched():
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(HERE / "scripts"))
    import browser as browsers

    path = browsers.find()
    assert path, "no Chromium: python scripts/browser.py installs one"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--headless", *browsers.FLAGS])
        yield found
        found.close()


class Page:
    """A page whose console must stay empty, and which must make requests to its own server alone."""

    def __init__(self, chromium, address, **more):
        given = {"viewport": {"width": 1280, "height": 720}, "accept_downloads": True} | more
        self.context = chromium.new_context(**given)
        self.page = self.context.new_page()
        self.address, self.complaints, self.outside = address, [], []
        self.server = re.match(r"\w+://[^/]+/", address)[0]
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self.note_outside)

    def note_outside(self, request):
        if not request.url.startswith((self.server, "blob:", "data:")):
            self.outside.append(request.url)

    def open(self):
        self.page.goto(self.address)
        return self.page

    def add_axe(self):
        """Load axe-core, which needs a context with bypass_csp. Without Node the test is skipped, except in CI."""
        if not AXE.exists() and not os.environ.get("CI"):
            pytest.skip("axe-core is not there: npm ci in studio/ brings it")
        self.page.add_script_tag(path=str(AXE))

    def violations(self):
        """The violations that axe finds: rule and elements."""
        return self.page.evaluate(
            "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html)])"
        )
