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
    """Title -> [T] states, in pairs: the theme (Figure 5) and its decode; its knobs turned (6a, 7a), each beside random
    dimensions (6b, 7b); and the rest of the code up (8) beside a random direction, which the knob `rest` takes.

    Figures 6b, 7b and 8 and the theme's own decode are decoded plainly, whatever the control. The random dimensions
    move by as much as those of the paper's knobs do.
    """
    piece = Document(asset(THEME)).piece
    melody = melody_clips.read(piece, melody_clips.choose_track(piece))
    classes = knobs.key_pitch_classes(melody.states, melody.clips)
    codes = engine.encode(melody.clips)

    def turned(**amounts: float) -> States:
        return melody.states_with(knobs.turn(engine, melody.clips, Knobs(control=control, **amounts), classes))  # type: ignore[arg-type]

    def decoded(change: Array) -> States:
        moved = engine.decode(codes + change.astype(np.float32)).states
        return melody.states_with(melody_states.tidy(moved, held=True))

    panels = {"5: the theme": melody.states, "5: as the model rebuilds it": decoded(np.zeros(engine.z))}
    for figure, knob, amount in (("6", "pitch", PITCH), ("7", "rhythm", RHYTHM)):
        direction = directions.random_dimensions(engine, knob, 0)
        count = int((direction != 0).sum())
        panels[f"{figure}a: {knob} {amount:+g}"] = turned(**{knob: amount})
        title = f"{figure}b: {count} random dimensions by as much as those of the paper's {knob} knob"
        panels[title] = decoded(amount * direction)
    panels["8: every dimension of no knob up by a standard deviation"] = decoded(directions.rest_up(engine))
    if control == "paper":  # whose knob `rest` is Figure 8
        panels["a random direction of the rest"] = decoded(REST * directions.random_direction(engine, control, 0))
    else:
        panels[f"the knob rest {REST:+g}: a random direction"] = turned(rest=REST)
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
