"""Figures 5 to 9 of the NIME paper with a melody model of ours: a bundled theme, its knobs turned, and a blend.

A and B of the blend are two bundled MIDI files. States are [T] of `codecs.melody_states`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

from fadernets.arrays import Array, States
from fadernets.codecs import melody_clips, melody_states
from fadernets.engines.melody import MelodyEngine
from fadernets.figures import rolls
from fadernets.melodies import blend_files, directions, knobs
from fadernets.melodies.knob_settings import CONTROLS, Knobs
from fadernets.music.document import Document
from fadernets.music.notes import ROLL_NOTE

THEME, OTHER = "k265.mid", "k545.mid"  # A and B of Figure 9
PITCH, RHYTHM, REST = 3.0, 1.0, 1.0  # semitones, doublings, standard deviations
SHEET = (640, 190)  # pixels of a roll


def asset(name: str) -> Path:
    """The path of a bundled MIDI file."""
    return Path(str(resources.files("fadernets") / "assets" / name))


def theme(engine: MelodyEngine, control: str) -> dict[str, States]:
    """Title -> [T] states: the theme (Figure 5), its knobs turned (6a, 7a), the rest moved (8), and random dimensions.

    The random dimensions (6b, 7b) move by as much as those of the paper's knobs do.
    """
    piece = Document(asset(THEME)).piece
    melody = melody_clips.read(piece, melody_clips.choose_track(piece))
    classes = knobs.key_pitch_classes(melody.states, melody.clips)

    def turned(**amounts: float) -> States:
        return melody.states_with(knobs.turn(engine, melody.clips, Knobs(control=control, **amounts), classes))  # type: ignore[arg-type]

    panels = {
        "5: the theme": melody.states,
        f"6a: pitch {PITCH:+g}": turned(pitch=PITCH),
        f"7a: rhythm {RHYTHM:+g}": turned(rhythm=RHYTHM),
        f"8: rest {REST:+g}": turned(rest=REST),
    }
    codes = engine.encode(melody.clips)
    for figure, knob, amount in (("6b", "pitch", PITCH), ("7b", "rhythm", RHYTHM)):
        direction = directions.random_dimensions(engine, knob, 0)
        title = (
            f"{figure}: {int((direction != 0).sum())} random dimensions by as much as those of the paper's {knob} knob"
        )
        panels[title] = melody.states_with(
            melody_states.tidy(engine.decode(codes + amount * direction).states, held=True)
        )
    return panels


def draw(engine: MelodyEngine, out: Path) -> list[str]:
    """Write theme-CONTROL.png (Figures 5 to 8) and grid-CONTROL.png (Figure 9) for both controls; return the files.

    Raises FadernetsError, and writes nothing, for a model whose knobs leave no dimensions to compare with.
    """
    sheets = {}
    for control in CONTROLS:
        each = [(title, _beats(states)) for title, states in theme(engine, control).items()]
        sheets[out / f"theme-{control}.png"] = each, 2, SHEET
        made = blend_files.blend(engine, (asset(THEME), asset(OTHER)), (5, 5), control=control)
        cells = [
            (f"{i + 1}, {j + 1}", _beats(melody_states.tidy(made.cells[i, j, :2].reshape(-1))))
            for i in range(5)
            for j in range(5)
        ]
        sheets[out / f"grid-{control}.png"] = cells, 5, rolls.CELL
    out.mkdir(parents=True, exist_ok=True)
    for path, (drawn, columns, size) in sheets.items():
        rolls.draw_cells(drawn, path, columns=columns, cell=size)
    return [str(path) for path in sheets]


def _beats(states: States) -> Array:
    """The notes of states [T] with times in quarter notes."""
    rows = melody_states.decode(states)
    notes = np.empty(len(rows), ROLL_NOTE)
    notes["onset"], notes["end"] = rows[:, 0] / melody_states.STEPS_PER_BEAT, rows[:, 1] / melody_states.STEPS_PER_BEAT
    notes["pitch"], notes["velocity"] = rows[:, 2], 80
    return notes
