"""The watched folder in a browser: what is bounced into it, opened, and written back; bars dragged out as a clip."""

import base64
import io
import re

import mido
import pytest
from browsing import stop_server
from midi_files import metre, save, tempo, track
from studio_page import RANGE, Page, address, drag, select_bars, settle, start_server, studio

__all__ = ["address", "studio"]  # fixtures


@pytest.fixture
def bounces(tmp_path):
    folder = tmp_path / "bounces"
    folder.mkdir()
    song(folder / "first.mid")
    return folder


def song(path):
    return save(path, track([(i / 2, 0.5, 60 + i % 8, 80) for i in range(64)], metre(4), tempo(100)))


def test_a_bounce_is_opened_edited_and_written_back(chromium, bounces):
    process, found = start_server(0, "--folder", str(bounces))
    one = Page(chromium, found, bypass_csp=True)
    page = one.open()
    one.add_axe()
    button = page.get_by_role("button", name=re.compile("^Folder"))
    button.click()
    panel = page.get_by_role("region", name="The folder bounces")
    panel.get_by_role("button", name="first.mid").wait_for(timeout=30000)
    write = panel.get_by_role("button", name="Write back beside it")
    assert write.is_disabled()
    song(bounces / "second.mid")
    panel.get_by_role("button", name=re.compile(r"second\.mid\s*new")).wait_for(timeout=30000)
    assert "1 new" in button.inner_text()
    assert one.violations() == []
    page.keyboard.press("Tab")  # by keyboard: into the list, the newest file first
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.studio.piece?.title === 'second.mid'", timeout=30000)
    page.keyboard.press("Escape")
    assert not panel.is_visible()
    drag(page, RANGE, 0.2)
    settle(page)
    button.click()
    write.click()
    panel.get_by_text("written: second-edited.mid").wait_for(timeout=30000)
    panel.get_by_text("→ second-edited.mid").wait_for()
    written = [m for m in mido.MidiFile(bounces / "second-edited.mid") if m.type == "note_on" and m.velocity]
    assert len(written) == page.evaluate("() => window.studio.shown.length") != 64
    assert one.violations() == []
    one.context.close()
    stop_server(process)
    assert (one.complaints, one.outside) == ([], [])


def test_no_folder_no_list(studio):
    studio.wait_for_timeout(500)
    assert studio.get_by_role("button", name=re.compile("^Folder")).count() == 0


def test_bars_are_dragged_out_as_a_clip(studio):
    clip = studio.get_by_role("button", name=re.compile("as a clip"))
    assert clip.is_disabled()
    select_bars(studio, 5, 8)
    drag(studio, RANGE, 0.6)
    settle(studio)
    assert clip.get_attribute("aria-label") == "bars 5–8 as a clip"
    name, data = clip.evaluate(
        """async (element) => {
            const data = new DataTransfer(), make = URL.createObjectURL
            let made
            URL.createObjectURL = (blob) => make.call(URL, (made = blob))
            element.dispatchEvent(new DragEvent('dragstart', {dataTransfer: data, bubbles: true}))
            URL.createObjectURL = make
            const [, name] = /^audio\\/midi:([^:]+):blob:/.exec(data.getData('DownloadURL'))
            const bytes = new Uint8Array(await made.arrayBuffer())
            return [name, btoa(String.fromCharCode(...bytes))]
        }"""
    )
    assert name.endswith("-bars-5-8.mid")
    file = mido.MidiFile(file=io.BytesIO(base64.b64decode(data)))
    lines = studio.evaluate("() => window.studio.piece.bars")
    shown = studio.evaluate("() => window.studio.shown")
    expected = sorted(
        (n["onset"] - lines[4], n["pitch"], n["velocity"]) for n in shown if lines[4] <= n["onset"] < lines[8]
    )
    found = []
    for each in file.tracks:
        now = 0
        for message in each:
            now += message.time
            if message.type == "note_on":
                found.append((now, message.note, message.velocity))
        assert now == lines[8] - lines[4]
    assert sorted(found) == expected
    with studio.expect_download() as download:
        clip.press("Enter")
    assert download.value.suggested_filename == name
