"""A preset that moves faders of fadernets and of this package; `fadernets preset learn` writes others as files."""

from fadernets.editing.presets import Preset

GENTLE = Preset(
    "gentle",
    {"dynamics": -12.0, "articulation": 0.1, "accent": -6.0, "tempo": -0.1},  # tempo: the log of a factor
    about="softer, more connected, a little slower, with lighter beats",
)
