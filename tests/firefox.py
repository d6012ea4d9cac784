"""Firefox, driven by WebDriver BiDi over loopback: Playwright drives a Firefox of its own alone, not the system's."""

import json
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

SECONDS = 60  # in which Firefox begins, and in which anything is waited for
PREFERENCES = {
    "browser.download.folderList": 2,
    "browser.download.always_ask_before_handling_new_types": False,
    "browser.download.alwaysOpenPanel": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "media.autoplay.default": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}


def find():
    """The path of Firefox, or None."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


@contextmanager
def launched():
    """A headless Firefox with one tab, as a `Tab`."""
    from websockets.sync.client import connect

    with tempfile.TemporaryDirectory() as folder:
        downloads = Path(folder) / "downloads"
        downloads.mkdir()
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        lines.append(f'user_pref("browser.download.dir", {json.dumps(str(downloads))});')
        (Path(folder) / "user.js").write_text("\n".join(lines))
        command = [find(), "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            with connect(_address(process), max_size=2**26, open_timeout=SECONDS) as socket:
                yield Tab(socket, downloads)
        finally:
            process.terminate()
            process.wait(SECONDS)
            process.stderr.close()


def _address(process):
    for line in process.stderr:
        if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
            return f"{found[1]}/session"
    raise AssertionError("Firefox ended before it listened")


class Tab:
    """A tab whose console and requests are noted."""

    def __init__(self, socket, downloads):
        self.socket, self.downloads, self.number = socket, downloads, 0
        self.complaints, self.requests = [], []
        self("session.new", capabilities={})
        self("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.context = self("browsingContext.getTree")["contexts"][0]["context"]
        self("browsingContext.setViewport", context=self.context, viewport={"width": 1280, "height": 800})

    def __call__(self, method, **parameters):
        """The result of a command."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(SECONDS))
            if message.get("id") == self.number:
                assert message["type"] == "success", (method, message)
                return message["result"]
            self._note(message.get("method"), message.get("params"))

    def _note(self, method, event):
        if method == "network.beforeRequestSent":
            self.requests.append(event["request"]["url"])
        elif method == "log.entryAdded" and event["level"] in ("warn", "error"):
            self.complaints.append(event["text"])

    def open(self, address):
        """Load a page."""
        self("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def evaluate(self, expression):
        """The value of an expression, or of the promise that it is, as JSON has it."""
        found = self(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value) ?? 'null')",
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )
        assert found["type"] == "success", found.get("exceptionDetails", {}).get("text")
        return json.loads(found["result"]["value"])

    def run(self, script):
        """Run a script that is no expression."""
        self("script.evaluate", expression=script, target={"context": self.context}, awaitPromise=False)

    def until(self, expression, seconds=SECONDS):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            assert time.monotonic() < end, f"not in {seconds} s: {expression}"
            time.sleep(0.05)

    def nodes(self, css):
        """What is needed to name the elements of a selector in a command."""
        found = self("browsingContext.locateNodes", context=self.context, locator={"type": "css", "value": css})
        return [{"sharedId": node["sharedId"]} for node in found["nodes"]]

    def choose_file(self, css, path):
        """Choose a file for an input."""
        self("input.setFiles", context=self.context, element=self.nodes(css)[0], files=[str(path)])

    def box(self, css):
        """Left, top, width and height of an element."""
        return self.evaluate(
            f"(({{x, y, width, height}}) => [x, y, width, height])"
            f"(document.querySelector({json.dumps(css)}).getBoundingClientRect())"
        )

    def drag(self, *places):
        """Press the mouse at the first place, move over the others, release it."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 30} for x, y in places]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        source = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self("input.performActions", context=self.context, actions=[source])

    def click(self, name):
        """Click the button of this text or label."""
        query = (
            "[...document.querySelectorAll('button')].find((one) => "
            f"(one.ariaLabel ?? one.textContent.trim()) === {json.dumps(name)})"
        )
        self.until(f"!!{query} && !{query}.disabled")
        x, y, width, height = self.evaluate(
            f"(({{x, y, width, height}}) => [x, y, width, height])"
            f"((({query}).scrollIntoView({{block: 'nearest'}}), {query}.getBoundingClientRect()))"
        )
        self.drag((x + width / 2, y + height / 2))

    def press(self, key):
        """Press a key."""
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self("input.performActions", context=self.context, actions=[{"type": "key", "id": "keys", "actions": actions}])

    def downloaded(self, suffix):
        """The file that was downloaded with this suffix."""
        end = time.monotonic() + SECONDS
        while not (found := [path for path in self.downloads.glob(f"*{suffix}") if path.stat().st_size]):
            assert time.monotonic() < end, f"no {suffix} was downloaded"
            time.sleep(0.1)
        return found[0]
