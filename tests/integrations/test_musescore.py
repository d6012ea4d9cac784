"""The plugin for MuseScore, run in MuseScore on a display of its own, with a real studio."""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from served_studio import served

from fadernets.music.opening import open_document
from fadernets.music.xml_files import read_xml
from fadernets.rendering import musicxml
from fadernets.studio.service import Studio

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "integrations" / "musescore" / "fadernets.qml"
MUSESCORE = shutil.which("mscore3") or shutil.which("musescore3")
NEEDED = (MUSESCORE, shutil.which("Xvfb"), shutil.which("xdotool"))
pytestmark = [pytest.mark.slow, pytest.mark.skipif(None in NEEDED, reason="needs MuseScore 3, Xvfb and xdotool")]
SECONDS = 90
SETTINGS = r"""[General]
[application]
paths\myPlugins={plugins}
startup\firstStart=false
startup\sessionStart=1
[ui]
application\startup\checkUpdate=false
application\startup\showStartCenter=false
application\startup\showTours=false
application\startup\showSplashScreen=false
"""
SHORTCUT = """<?xml version="1.0" encoding="UTF-8"?>
<museScore version="3.01">
  <Plugin><path>{plugin}</path><load>1</load><SC><key>fadernets</key><seq>Ctrl+Alt+J</seq></SC></Plugin>
</museScore>
"""
TRIED = {  # what a user does in the dialog, and what the test reads
    "function say(message) {": "function say(message) { console.log('SAY ' + message);",
    "function ready() {}": "function ready() { asked = { rhythm_density: '@AMOUNT' }; apply() }",
    "function done() { Qt.quit() }": "function done() { console.log('DONE ' + curScore.title); Qt.quit() }",
    "bars = selected()": "selected(); bars = [2, 3]",
    "source.tempPath()": '"@FOLDER"',
    "http://127.0.0.1:8765": "@ADDRESS",
}


@pytest.fixture
def display():
    """The number of a display that nobody else has."""
    for number in range(90, 120):
        if not Path(f"/tmp/.X11-unix/X{number}").exists():
            process = subprocess.Popen(
                [NEEDED[1], f":{number}", "-screen", "0", "1280x900x24"], stderr=subprocess.DEVNULL
            )
            time.sleep(1)
            if process.poll() is None:
                yield f":{number}"
                process.terminate()
                process.wait()
                return
    pytest.skip("no display is free")


def run(folder, display, address, amount):
    """The lines that the plugin wrote until it was done, or said that it cannot be."""
    plugins, data = folder / "plugins", folder / ".local/share/MuseScore/MuseScore3"
    for each in (plugins, data, folder / ".config/MuseScore"):
        each.mkdir(parents=True)
    text = PLUGIN.read_text()
    for old, new in TRIED.items():
        assert old in text
        for name, value in (("@AMOUNT", amount), ("@FOLDER", folder), ("@ADDRESS", address)):
            new = new.replace(name, str(value))
        text = text.replace(old, new)
    plugin = plugins / "fadernets.qml"
    plugin.write_text(text)
    (data / "plugins.xml").write_text(SHORTCUT.format(plugin=plugin))
    (folder / ".config/MuseScore/MuseScore3.ini").write_text(SETTINGS.format(plugins=plugins))
    shown = {"DISPLAY": display, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "QT_QUICK_BACKEND": "software"}
    process = subprocess.Popen(
        [MUSESCORE, "-w", str(folder / "song.musicxml")],
        env={**os.environ, **shown},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []

    def read():
        lines.extend(line.strip() for line in process.stdout)

    reader = threading.Thread(target=read)
    reader.start()
    ends = time.monotonic() + SECONDS
    try:
        while time.monotonic() < ends and process.poll() is None:
            time.sleep(2)
            if not any("SAY" in line for line in lines):
                subprocess.run([NEEDED[2], "key", "ctrl+alt+j"], env={**os.environ, **shown}, check=False)
            if any("DONE" in line or "no value" in line for line in lines):
                break
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
    return [line.partition("qml: ")[2] for line in lines if "qml: " in line]


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.musicxml"
    document = open_document(ROOT / "src" / "fadernets" / "assets" / "k545.mid")
    path.write_bytes(musicxml.write_document(document, "Sonata"))
    return path


def steps(path):
    """The letters of each measure's notes."""
    measures = read_xml(path.read_bytes(), "it").root.iter("measure")
    return [[note.findtext("pitch/step") for note in measure.iter("note")] for measure in measures]


def test_selected_bars_come_back_in_a_new_score(tmp_path, display, song):
    with served(Studio()) as address:
        said = run(tmp_path, display, address, "+0.3")
    assert said == ["SAY The score is read ...", "SAY Bars 2 to 3", "SAY The edit is computed ...", "DONE Sonata"]
    before, after = steps(tmp_path / "fadernets-score.musicxml"), steps(tmp_path / "fadernets-score-edited.musicxml")
    assert [i + 1 for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [2, 3]


def test_what_is_no_number_is_said(tmp_path, display, song):
    with served(Studio()) as address:
        said = run(tmp_path, display, address, "much")
    assert said[-1] == "SAY rhythm density: much is no value such as 0.7 and no change such as +0.2"
