"""Figures 5 to 9 of the NIME paper with our models: the bundled theme, its knobs turned, and the two-way grid."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np

from fadernets.codecs import melody_clips, melody_states
from fadernets.codecs.melody_states import States
from fadernets.engines.melody import MelodyEngine
from fadernets.figures import rolls
from fadernets.melodies import blend, knobs
from fadernets.melodies.knobs import CONTROLS, Turn
from fadernets.music.document import Document
from fadernets.music.notes import ROLL_NOTE

THEME, OTHER = "k265.mid", "k545.mid"  # A and B of Figure 9
PITCH, RHYTHM, REST = 3.0, 1.0, 1.0  # semitones, doublings, standard deviations
SHEET = (640, 190)  # pixels of a roll


def asset(name: str) -> Path:
    """A bundled MIDI file."""
    return Path(str(resources.files("fadernets") / "assets" / name))


def theme(engine: MelodyEngine, control: str) -> dict[str, States]:
    """Title -> [T] states: the theme (Figure 5), its knobs turned (6a, 7a), the rest moved (8), and random dimensions
    moved by as much as the paper's own are (6b, 7b)."""
    piece = Document(asset(THEME)).piece
    tune = melody_clips.read(piece, melody_clips.choose_track(piece))
    classes = knobs.classes_of(tune.states)

    def turned(**amounts: float) -> States:
        return tune.joined(knobs.turn(engine, tune.clips, Turn(control=control, **amounts), classes))  # type: ignore[arg-type]

    found = {
        "5: the theme": tune.states,
        f"6a: pitch {PITCH:+g}": turned(pitch=PITCH),
        f"7a: rhythm {RHYTHM:+g}": turned(rhythm=RHYTHM),
        f"8: rest {REST:+g}": turned(rest=REST),
    }
    codes = engine.encode(tune.clips)
    for figure, knob, amount in (("6b", "pitch", PITCH), ("7b", "rhythm", RHYTHM)):
        way = knobs.random_dimensions(engine, knob, 0)
        title = f"{figure}: {int((way != 0).sum())} random dimensions by as much as those of the paper's {knob} knob"
        found[title] = tune.joined(melody_states.tidy(engine.decode(codes + amount * way).states, held=True))
    return found


def draw(engine: MelodyEngine, out: Path) -> list[str]:
    """Write theme-CONTROL.png and grid-CONTROL.png for both controls; return the files. Raises FadernetsError, and
    writes nothing, for a model whose knobs leave no dimensions to compare with."""
    sheets = {}
    for control in CONTROLS:
        each = [(title, _beats(states)) for title, states in theme(engine, control).items()]
        sheets[out / f"theme-{control}.png"] = each, 2, SHEET
        made = blend.blend(engine, (asset(THEME), asset(OTHER)), (5, 5), control=control)
        cells = [
            (f"{i + 1}, {j + 1}", _beats(melody_states.tidy(made.cells[i, j, :2].reshape(-1))))
            for i in range(5)
            for j in range(5)
        ]
        sheets[out / f"grid-{control}.png"] = cells, 5, rolls.CELL
    out.mkdir(parents=True, exist_ok=True)
    for path, (drawn, columns, size) in sheets.items():
        rolls.draw_grid(drawn, path, columns=columns, cell=size)
    return [str(path) for path in sheets]


def _beats(states: States) -> np.ndarray:
    """The notes of states [T] in quarter-beats."""
    rows = melody_states.decode(states)
    found = np.empty(len(rows), ROLL_NOTE)
    found["onset"], found["end"] = rows[:, 0] / melody_states.STEPS_PER_BEAT, rows[:, 1] / melody_states.STEPS_PER_BEAT
    found["pitch"], found["velocity"] = rows[:, 2], 80
    return found
