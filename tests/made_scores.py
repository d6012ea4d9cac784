"""Small MusicXML scores, written by hand: a builder for parts of measures."""

import io
import zipfile
from pathlib import Path

import music21

CORPUS = Path(music21.__file__).parent / "corpus"  # real scores, which come with music21


def note(pitch=None, duration=4, *, staff=None, voice=1, chord=False, ties=(), more="", grace=False, attributes=""):
    """A note or rest. pitch: `C4`, `F#4`, `Bb3`; a tie is `start` or `stop`."""
    inner = "<grace/>" if grace else ""
    inner += "<chord/>" if chord else ""
    if pitch is None:
        inner += "<rest/>"
    elif pitch == "x":
        inner += "<unpitched><display-step>C</display-step><display-octave>5</display-octave></unpitched>"
    else:
        alter = {"#": 1, "b": -1}.get(pitch[1])
        inner += f"<pitch><step>{pitch[0]}</step>" + (f"<alter>{alter}</alter>" if alter else "")
        inner += f"<octave>{pitch[-1]}</octave></pitch>"
    inner += "" if grace else f"<duration>{duration}</duration>"
    inner += "".join(f'<tie type="{tie}"/>' for tie in ties)
    inner += f"<voice>{voice}</voice>" + (f"<staff>{staff}</staff>" if staff else "")
    return f"<note{attributes}>{inner}{more}</note>"


def backup(duration):
    return f"<backup><duration>{duration}</duration></backup>"


def attributes(divisions=4, metre=(4, 4), fifths=0, more=""):
    return (
        f"<attributes><divisions>{divisions}</divisions><key><fifths>{fifths}</fifths></key>"
        f"<time><beats>{metre[0]}</beats><beat-type>{metre[1]}</beat-type></time>{more}</attributes>"
    )


def score(*parts, listed=None, title="A song", head=""):
    """A score of parts, each a list of measures' contents; `listed` adds to the list of parts, by number from 1."""
    about, body = "", ""
    for i, measures in enumerate(parts, 1):
        about += f'<score-part id="P{i}"><part-name>Part {i}</part-name>{(listed or {}).get(i, "")}</score-part>'
        inner = "".join(f'<measure number="{k}">{content}</measure>' for k, content in enumerate(measures, 1))
        body += f'<part id="P{i}">{inner}</part>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
        '"http://www.musicxml.org/dtds/partwise.dtd">\n'
        f'<score-partwise version="4.0"><work><work-title>{title}</work-title></work>{head}'
        f"<part-list>{about}</part-list>{body}</score-partwise>"
    ).encode()


def packed(text, container=True, name="score.xml"):
    """The same as a compressed file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        if container:
            inner = f'<container><rootfiles><rootfile full-path="{name}"/></rootfiles></container>'
            file.writestr("META-INF/container.xml", inner)
        file.writestr(name, text)
    return out.getvalue()


SONG = score(
    [
        attributes(4, (3, 4), -1)
        + '<direction><direction-type><words>dolce</words></direction-type><sound tempo="90"/></direction>'
        + note("F4", more="<lyric><syllabic>single</syllabic><text>one</text></lyric>")
        + note("A4", more="<lyric><text>two</text></lyric>")
        + note("C5", more="<notations><articulations><staccato/></articulations></notations>"),
        note("G4", more="<lyric><text>three</text></lyric>")
        + note("Bb4", 8, more='<notations><slur type="start" number="1"/></notations>', ties=["start"]),
        note("Bb4", 4, ties=["stop"])
        + note("D5", grace=True)
        + note("C5", 8, more='<notations><slur type="stop" number="1"/></notations>')
        + '<barline location="right"><bar-style>light-heavy</bar-style></barline>',
    ],
    [
        attributes(2, (3, 4), 1, "<transpose><chromatic>-2</chromatic></transpose>") + note("G3", 6),
        note("E4", 2) + note("F#4", 2) + note("G4", 2),
        note("D4", 3) + note("E4", 3),
    ],
    head='<identification><creator type="composer">Somebody</creator></identification>',
    listed={1: "<midi-instrument><midi-program>74</midi-program></midi-instrument>"},
)
