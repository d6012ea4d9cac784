"""How fast the studio's page is, measured in the browser (make bench). docs/results.md holds what was measured."""

import gzip
import re
import time

import pytest
from browsing import HERE, Page, launched, start, stop_server
from test_timings import song

pytestmark = pytest.mark.bench
PAGE = HERE / "src" / "fadernets" / "page"
MOVES = """async (moves) => {
    const studio = window.studio, canvas = document.querySelector('canvas')
    const drawn = [], heard = []
    const change = studio.player.change.bind(studio.player)
    let began = 0
    studio.player.change = (music) => {
        change(music)
        if (began) heard.push(performance.now() - began)
        began = 0
    }
    for (let i = 0; i < moves; i++) {
        const before = canvas.dataset.drawn
        const start = began = performance.now()
        studio.set('rhythm_density', 0.3 + 0.5 * Math.abs(Math.sin(i * 0.37)), true)
        await new Promise((done) => {
            const look = () => (canvas.dataset.drawn !== before ? done() : requestAnimationFrame(look))
            look()
        })
        drawn.push(performance.now() - start)
    }
    return {drawn, heard}
}"""
AHEAD = 70  # milliseconds that notes are handed on ahead (player.ts): they sound as they were


@pytest.fixture(scope="module")
def studio():
    process, line = start("studio", "--no-browser", "--port", 0)
    with launched() as chromium:
        yield Page(chromium, re.search(r"http://\S+", line)[0])
    stop_server(process)


def p95(values):
    return sorted(values)[int(0.95 * (len(values) - 1) + 0.5)]


def test_the_page_is_there_in_a_second(studio, record):
    began = time.perf_counter()
    studio.open().wait_for_selector("#fader-rhythm_density")
    seconds = time.perf_counter() - began
    record("page interactive", f"{seconds:.2f} s")
    assert seconds <= 1.0


def test_a_fader_s_drag_reaches_the_roll_and_the_sound(studio, record, tmp_path):
    page = studio.open()
    page.wait_for_selector("#fader-rhythm_density")
    page.locator("input[type=file]").set_input_files(song(tmp_path / "song.mid", 16))
    page.wait_for_function("() => window.studio.piece?.title === 'song.mid'")
    assert page.evaluate("() => window.studio.bars") == 16
    page.evaluate(MOVES, 20)
    found = page.evaluate(MOVES, 200)
    roll, sound = p95(found["drawn"]), p95(found["heard"]) + AHEAD
    record("a move to the roll, p95 of 200, 16 bars", f"{roll:.0f} ms")
    record("a move to the sound, p95 of 200, 16 bars", f"{sound:.0f} ms")
    assert roll <= 120
    assert sound <= 200


def test_a_blend_of_eight_by_eight(studio, record):
    page = studio.open()
    page.get_by_role("button", name="Melody").click()
    page.wait_for_function("() => document.querySelectorAll('svg rect.note').length === 49")
    page.get_by_label("from this one to").select_option("k545")
    page.get_by_label("rows").fill("8")
    page.get_by_label("columns").fill("8")
    page.wait_for_timeout(500)
    began = time.perf_counter()
    page.get_by_role("button", name="Draw the blend").click()
    page.wait_for_function("() => document.querySelectorAll('.cell').length === 64")
    seconds = time.perf_counter() - began
    record("8 x 8 blend, theme to K. 545", f"{seconds:.2f} s")
    assert seconds <= 1.5


def test_the_first_paint_is_light(record):
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    files = [PAGE / name for name in re.findall(r'(?:src|href)="\./(assets/[^"]+)"', index)]
    assert len(files) >= 2
    size = sum(len(gzip.compress(file.read_bytes(), 6)) for file in [PAGE / "index.html", *files])
    record("first paint, gzipped", f"{size / 1000:.0f} kB")
    assert size <= 600_000


@pytest.fixture(scope="module")
def record():
    """Figures, printed when all are there."""
    found = []
    yield lambda name, value: found.append((name, value))
    print("\n" + "\n".join(f"{name}: {value}" for name, value in found))
