"""The longest journey of a composer in one piece, and what the exported file has that the source has not, by diff."""

import io
from pathlib import Path

import mido
from studio_page import RANGE, address, drag, inside, lane, notes, select_bars, settle, studio

__all__ = ["address", "studio"]  # fixtures
MELODY, LEFT = 0, 1  # tracks of K. 545


def rows(data):
    """Every event of a file: track chunk, tick and bytes."""
    found = []
    for chunk, events in enumerate(mido.MidiFile(file=io.BytesIO(data)).tracks):
        tick = 0
        for message in events:
            tick += message.time
            if not (message.type == "text" and message.text.startswith("fadernets")):
                found.append((chunk, tick, tuple(message.bytes())))
    return found


def without_notes(listed, spans):
    """The events of a file but for notes whose ticks lie in some spans, and for the ends of tracks."""
    kept = []
    for chunk, tick, data in listed:
        is_note = data[0] >> 4 in (8, 9)
        if data[:2] != (0xFF, 0x2F) and not (is_note and any(first <= tick <= end for first, end in spans)):
            kept.append((chunk, tick, data))
    return sorted(kept)


def test_the_longest_journey(studio, address):
    page = studio
    source = notes(page)
    lines = page.evaluate("() => window.studio.piece.bars")
    server = address.split("?")[0]
    piece = page.evaluate("() => window.studio.piece.id")
    original = page.request.get(f"{server}api/pieces/{piece}/midi").body()

    page.get_by_role("group", name="Keep").get_by_role("button", name="melody").click()
    lane(page, "Left hand").click()
    select_bars(page, 5, 8)
    drag(page, RANGE, 0.6)
    settle(page)
    busier = notes(page)
    assert [n for n in busier if n["track"] == MELODY] == [n for n in source if n["track"] == MELODY]
    assert inside(page, busier, 5, 8) != inside(page, source, 5, 8)

    lane(page, "Left hand").click()
    page.locator("canvas.notes").focus()
    page.keyboard.press("Escape")
    for _ in range(8):
        page.get_by_role("button", name="Zoom out").click()
    select_bars(page, 10, 12)
    drag(page, RANGE, 0.7)
    settle(page)
    assert page.evaluate("() => window.studio.layers.regions.map((one) => one.bars)") == [[5, 8], [10, 12]]

    page.get_by_role("button", name="Takes", exact=True).click()
    page.wait_for_function("() => window.studio.takes.list.length === 4 && !window.studio.takes.asked", timeout=90000)
    taken = page.evaluate("() => window.studio.takes.list[1].bars")[:3]
    for bar in taken:
        page.evaluate(f"() => window.studio.takes.takeBar(1, {bar})")
        settle(page)
    select_bars(page, 6, 6)
    page.get_by_role("button", name="Freeze").click()
    settle(page)
    assert page.evaluate("() => Object.keys(window.studio.layers.frozen).map(Number)") == sorted([6, *taken])

    page.get_by_role("button", name="Score", exact=True).click()
    page.wait_for_selector(".score svg", timeout=90000)
    page.get_by_role("button", name="Score", exact=True).click()
    shown = notes(page)
    with page.expect_download(timeout=60000) as download:
        page.get_by_role("button", name="Download MIDI").click()
    exported = Path(download.value.path()).read_bytes()

    spans = [(lines[first - 1], lines[last]) for first, last in ((5, 8), (10, 12))]
    assert without_notes(rows(exported), spans) == without_notes(rows(original), spans)
    file = mido.MidiFile(file=io.BytesIO(exported))
    struck = sum(m.type == "note_on" and m.velocity > 0 for each in file.tracks for m in each)
    assert struck == len(shown)
    assert [n for n in shown if n["track"] == MELODY] == [n for n in source if n["track"] == MELODY]
