"""Find a Chromium for the tests of the studio's page, or install one: Playwright's own, else the distribution's.

python scripts/browser.py prints its path. `find` is what the tests call.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def find() -> str | None:
    """The path of a browser; None where there is none."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if shutil.which(path) else None


def install() -> None:
    """Playwright's own browser, or the distribution's package where that cannot be had."""
    tries = [
        [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"],
        ["sh", "-c", "apt-get update -q && apt-get install -q -y chromium"],
    ]
    for command in tries:
        try:
            if subprocess.run(command, timeout=600, check=False).returncode == 0 and find():
                return
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"{command[0]}: {error}", file=sys.stderr)
    sys.exit("no Chromium could be installed: the tests of the page need one")


if __name__ == "__main__":
    if find() is None:
        install()
    print(find())
