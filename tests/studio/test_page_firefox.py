"""The studio's page in the system's Firefox: one journey through the faders' room, and every room by axe."""

import firefox
import mido
import pytest
from browsing import AXE
from midi_files import left, metre, right, save, tempo, track
from studio_page import RULER, address

__all__ = ["address"]  # a fixture
pytestmark = pytest.mark.skipif(firefox.find() is None, reason="Firefox is not installed")
SETTLED = "!window.studio.busy && !!window.studio.edited && !window.studio.edited.draft"
NOTES = "window.studio.music().notes.map((n) => [n.track, n.onset, n.end, n.pitch, n.velocity])"


@pytest.fixture(scope="module")
def tab(address):
    with firefox.launched() as one:
        one.open(address)
        one.until("!!document.querySelector('#fader-rhythm_density')")
        yield one


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = tmp_path_factory.mktemp("firefox") / "song.mid"
    return save(path, track(right(64), metre(4), tempo(100), name="Right hand"), track(left(64), name="Left hand"))


def drag_fader(tab, name, share):
    x, y, width, height = tab.box(f"#fader-{name}")
    now = tab.evaluate(f"((e) => (e.value - e.min) / (e.max - e.min))(document.querySelector('#fader-{name}'))")
    places = [(x + 8 + (width - 16) * (now + (share - now) * i / 4), y + height / 2) for i in range(5)]
    tab.drag(*places)
    tab.until(SETTLED)


def select_bars(tab, first, last):
    x, y, _, _ = tab.box("canvas.notes")
    middles = tab.evaluate(
        "((roll, {bars}) => bars.slice(0, -1).map((at, i) => "
        "((at + bars[i + 1]) / 2 - Number(roll.dataset.start)) * Number(roll.dataset.perTick)))"
        "(document.querySelector('canvas.notes'), window.studio.piece)"
    )
    tab.drag((x + middles[first - 1], y + RULER), (x + middles[last - 1], y + RULER))
    assert tab.evaluate("window.studio.selection") == [first, last]


def inside(rows, lines, first, last):
    return [row for row in rows if lines[first - 1] <= row[1] < lines[last]]


def test_a_journey(tab, song):
    tab.choose_file("input[type=file]", song)
    tab.until("window.studio.piece?.title === 'song.mid'")
    lines, source = tab.evaluate("window.studio.piece.bars"), tab.evaluate(NOTES)
    tab.click("Keep Right hand")
    select_bars(tab, 2, 4)
    drag_fader(tab, "rhythm_density", 0.8)
    first = tab.evaluate(NOTES)
    assert inside(first, lines, 2, 4) != inside(source, lines, 2, 4)
    select_bars(tab, 6, 7)
    drag_fader(tab, "rhythm_density", 0.2)
    second = tab.evaluate(NOTES)
    assert inside(second, lines, 2, 4) == inside(first, lines, 2, 4)
    assert inside(second, lines, 6, 7) != inside(source, lines, 6, 7)
    assert [row for row in second if row[0] == 0] == [row for row in source if row[0] == 0]
    tab.click("Takes")
    tab.until("window.studio.takes.list.length === 4 && !window.studio.takes.asked")
    number = tab.evaluate("window.studio.takes.list.findIndex((one) => one.bars.length) + 1")
    if number:
        bar = tab.evaluate(f"window.studio.takes.list[{number - 1}].bars[0]")
        tab.click(f"Take bar {bar} from take {number}")
        tab.until(SETTLED)
        assert tab.evaluate("window.studio.layers.frozen").keys() == {str(bar)}
    shown = tab.evaluate(NOTES)
    tab.click("Download MIDI")
    file = mido.MidiFile(tab.downloaded(".mid"))
    struck = sum(m.type == "note_on" and m.velocity > 0 for each in file.tracks for m in each)
    assert struck == len(shown)
    assert [row for row in shown if row not in inside(shown, lines, 2, 4) + inside(shown, lines, 6, 7)] == [
        row for row in source if row not in inside(source, lines, 2, 4) + inside(source, lines, 6, 7)
    ]


@pytest.mark.parametrize("room", ["faders", "melody", "inspect"])
def test_axe_finds_nothing(tab, address, room):
    if not AXE.exists():
        pytest.skip("axe-core is not there: npm ci in studio/ brings it")
    tab.evaluate(f"void (location.hash = '{room}')")
    tab.until("document.querySelectorAll('main *').length > 20")
    tab.run(AXE.read_text(encoding="utf-8"))
    assert (
        tab.evaluate(
            "axe.run().then((found) => found.violations.map((one) => [one.id, ...one.nodes.map((n) => n.html)]))"
        )
        == []
    )


def test_its_console_is_empty_and_it_asks_its_own_server_alone(tab, address):
    server = address.split("?")[0]
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith((server, "data:", "blob:"))] == []
