"""Draw the studio's rooms for the documentation: python scripts/studio_pictures.py docs/figures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import browser
from playwright.sync_api import Page, sync_playwright

SIZES = {"": (1280, 800, "light"), "-dark": (1280, 800, "dark"), "-phone": (390, 844, "light")}


def settled(page: Page) -> None:
    page.wait_for_function("() => !window.studio.busy && window.studio.edited && !window.studio.edited.draft")


def faders(page: Page) -> None:
    page.locator("input[aria-label='Strength of arousal']").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    settled(page)
    page.evaluate("() => window.studio.select([5, 8])")
    page.get_by_role("button", name="melody", exact=True).click()
    page.get_by_role("list", name="Lanes").get_by_role("button", name="Left hand", exact=True).click()
    page.wait_for_function("() => !document.querySelector('#fader-rhythm_density').disabled")
    page.locator("#fader-rhythm_density").focus()
    for _ in range(25):
        page.keyboard.press("ArrowRight")
    settled(page)


def takes(page: Page) -> None:
    faders(page)
    page.get_by_role("button", name="Takes", exact=True).click()
    page.wait_for_function("() => window.studio.takes.list.length === 4 && !window.studio.takes.asked", timeout=60000)
    page.get_by_role("button", name="Take bar 6 from take 3").focus()  # the time axis goes there
    page.keyboard.press("Enter")
    settled(page)


def score(page: Page) -> None:
    faders(page)
    page.get_by_role("button", name="Score", exact=True).click()
    page.wait_for_selector("[aria-label='The piece as a score'] svg", timeout=60000)


def melody(page: Page) -> None:
    page.get_by_role("button", name="Melody", exact=True).click()
    page.wait_for_selector("text=K. 265 theme")
    page.locator("#knob-pitch").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.get_by_label("from this one to").select_option("k545")
    page.get_by_role("button", name="Draw the blend").click()
    page.wait_for_function("() => document.querySelectorAll('.cell').length === 25")


def inspect(page: Page) -> None:
    page.get_by_role("button", name="Inspect").click()
    page.wait_for_selector(".bars li", timeout=60000)
    page.get_by_role("button", name="rhythm", exact=True).click()
    page.locator("canvas").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp", "Shift+ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_timeout(300)


def main(out: Path, *more: str) -> None:
    run = "from fadernets.cli.main import main; raise SystemExit(main())"
    command = [sys.executable, "-c", run, "studio", "--no-browser", "--port", "0", *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        assert address is not None
        chromium = playwright.chromium.launch(executable_path=browser.find(), args=["--headless", *browser.FLAGS])
        for room in (faders, takes, score, melody, inspect):
            for suffix, (width, height, scheme) in SIZES.items():
                context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                page.goto(address[0])
                page.wait_for_selector("#fader-rhythm_density")
                room(page)
                page.wait_for_timeout(400)
                path = out / f"studio-{room.__name__}{suffix}.png"
                page.screenshot(path=path)
                small(path)
                context.close()
        chromium.close()
        server.terminate()


def small(path: Path) -> None:
    """As few colours as a drawing with lanes needs."""
    from PIL import Image

    with Image.open(path) as drawn:
        drawn.convert("RGB").quantize(160).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
