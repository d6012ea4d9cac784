"""The 128 programs of General MIDI and its drums, as layers of a few waves (`instrument_waves.py`): a table.

A layer is one wave with an envelope; a program is one to four of them, which sound together. Programs 0 to 3 are the
sampled piano's and have no row. Times are seconds, levels decibels, tunings semitones, frequencies Hz.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SILENT = 100.0  # dB below the peak: no sustain


@dataclass(frozen=True)
class Layer:
    """One wave of a program and its envelopes."""

    wave: str
    level: float = 0.0  # dB, of this layer among the others
    tune: float = 0.0  # semitones above the key
    attack: float = 0.004
    hold: float = 0.0
    decay: float = 0.0  # by 60 dB, at middle C; 0: none
    sustain: float = 0.0  # dB below the peak, at which the decay ends
    release: float = 0.15  # by 60 dB
    keyed: float = 0.0  # by how much of an octave the decay shortens an octave higher
    cutoff: float = 0.0  # of the low pass; 0: none
    opened: float = 0.0  # semitones by which the cutoff begins higher
    closing: float = 0.3  # until it is down again
    bend: float = 0.0  # semitones by which the pitch begins higher
    bending: float = 0.05  # until it is where it belongs
    vibrato: tuple[float, float, float] = (0.0, 5.5, 0.3)  # semitones, Hz, after
    tremolo: tuple[float, float] = (0.0, 5.0)  # dB, Hz
    pan: float = 0.0  # -1 left, 1 right
    fixed: float | None = None  # the pitch that every key plays
    choke: int = 0  # notes of one number end each other


def held(wave: str, **more: float | tuple[float, ...]) -> Layer:
    """A tone that lasts as long as its key."""
    return Layer(wave, **more)  # type: ignore[arg-type]


def struck(wave: str, decay: float, **more: float | tuple[float, ...]) -> Layer:
    """A tone that dies away, faster the higher it is."""
    given = {"attack": 0.001, "release": min(0.4, decay / 4), "keyed": 0.5} | more
    return Layer(wave, decay=decay, sustain=SILENT, **given)  # type: ignore[arg-type]


def bar(decay: float, *partials: tuple[float, float, float], **more: float | tuple[float, ...]) -> list[Layer]:
    """A struck bar, bell or plate: sines at (semitones, level, share of the decay)."""
    first = struck("sine", decay, release=decay / 2, **more)
    return [first, *(replace(first, tune=tune, level=db, decay=decay * share) for tune, db, share in partials)]


def both(layer: Layer, cents: float, pan: float = 0.5) -> list[Layer]:
    """A layer twice, mistuned against itself, one left and one right."""
    near = cents / 100
    return [replace(layer, tune=layer.tune - near, pan=-pan), replace(layer, tune=layer.tune + near, pan=pan)]


def bowed(wave: str, attack: float = 0.07, vibrato: float = 0.18, **more: float) -> Layer:
    """A bowed string: slow to speak, with vibrato after a while."""
    return held(wave, attack=attack, decay=6.0, sustain=3.0, release=0.25, vibrato=(vibrato, 5.6, 0.25), **more)


def blown(wave: str, attack: float = 0.035, vibrato: float = 0.1, **more: float) -> Layer:
    """A wind instrument."""
    return held(wave, attack=attack, decay=5.0, sustain=2.5, release=0.13, vibrato=(vibrato, 5.2, 0.35), **more)


def brass(wave: str, attack: float = 0.03, cutoff: float = 2600.0, **more: float) -> Layer:
    """A brass instrument: bright when it speaks, then darker."""
    given = {"decay": 5.0, "sustain": 2.0, "release": 0.14} | more
    return held(wave, attack=attack, cutoff=cutoff, opened=10.0, closing=0.5, vibrato=(0.07, 5.0, 0.5), **given)


def breath(level: float, cutoff: float = 3000.0, decay: float = 0.0, attack: float = 0.03) -> Layer:
    """The air of a wind instrument, or the sound of a bow."""
    ends = {"decay": decay, "sustain": SILENT} if decay else {}
    return held("noise", level=level, fixed=72, cutoff=cutoff, attack=attack, release=0.1, **ends)


def click(level: float, cutoff: float = 5000.0, decay: float = 0.06) -> Layer:
    """What strikes or plucks: a moment of noise."""
    return Layer("noise", level, attack=0.001, decay=decay, sustain=SILENT, release=0.02, fixed=72, cutoff=cutoff)


def pad(wave: str, attack: float = 0.4, **more: float | tuple[float, ...]) -> Layer:
    """A slow, soft tone."""
    given = {"release": 0.9, "cutoff": 2500.0} | more
    return held(wave, attack=attack, **given)


BELL = ((12.0, -4.0, 0.7), (15.2, -8.0, 0.6), (28.0, -12.0, 0.35))
PROGRAMS: dict[int, tuple[str, list[Layer]]] = {
    4: ("electric piano", [struck("warm", 9), struck("sine", 1.6, tune=45.7, level=-24)]),
    5: ("electric piano 2", [*both(struck("warm", 8), 4), struck("sine", 2.5, tune=24, level=-14)]),
    6: ("harpsichord", [struck("buzz", 4.5, release=0.12), click(-26)]),
    7: ("clavinet", [struck("pulse", 3.0, cutoff=3500.0, opened=14.0, closing=0.15, release=0.08)]),
    8: ("celesta", bar(3.5, (24, -12, 0.4), (36, -22, 0.25))),
    9: ("glockenspiel", bar(4.0, (17.0, -9, 0.5), (29.0, -14, 0.3))),
    10: ("music box", [*bar(4.5, (12, -8, 0.7), (31.0, -17, 0.25)), click(-28, 7000.0, 0.03)]),
    11: ("vibraphone", bar(11.0, (24, -13, 0.2), tremolo=(3.0, 5.5))),
    12: ("marimba", [*bar(1.8, (24, -14, 0.3), (39.9, -22, 0.15)), click(-26, 1500.0, 0.03)]),
    13: ("xylophone", [*bar(1.1, (19, -9, 0.6), (34.0, -17, 0.4)), click(-22, 3500.0, 0.03)]),
    14: ("tubular bells", bar(12.0, *BELL)),
    15: ("dulcimer", [*both(struck("steel", 4.5), 4), click(-24)]),
    16: ("drawbar organ", [held("drawbars", release=0.06, vibrato=(0.05, 6.5, 0.0))]),
    17: ("percussive organ", [held("drawbars", release=0.06), struck("sine", 0.9, tune=19, level=-6)]),
    18: ("rock organ", [held("drawbars", release=0.06, tremolo=(1.5, 6.6), vibrato=(0.12, 6.6, 0.0))]),
    19: ("church organ", [*both(held("pipes", attack=0.05, release=0.5), 3), breath(-32, 2500.0)]),
    20: ("reed organ", [held("reed", attack=0.05, release=0.12)]),
    21: ("accordion", both(held("reed", attack=0.04, release=0.1), 7)),
    22: ("harmonica", [blown("reed", 0.04, 0.12), breath(-28)]),
    23: ("bandoneon", both(held("reed", attack=0.03, release=0.1, cutoff=3500.0), 4)),
    24: ("nylon guitar", [struck("nylon", 4.5, cutoff=2200.0, opened=16.0, closing=0.3), click(-28, 2500.0)]),
    25: ("steel guitar", [struck("steel", 5.5, cutoff=3000.0, opened=16.0, closing=0.5), click(-26)]),
    26: ("jazz guitar", [struck("nylon", 5.0, cutoff=1500.0, opened=10.0)]),
    27: ("clean guitar", both(struck("steel", 6.0, cutoff=2600.0, opened=10.0, closing=0.6), 3)),
    28: ("muted guitar", [struck("steel", 0.9, cutoff=1800.0, opened=12.0, closing=0.12), click(-24, 2500.0)]),
    29: ("overdriven guitar", [held("drive", cutoff=3200.0, decay=12.0, sustain=12.0, vibrato=(0.08, 5.0, 0.4))]),
    30: ("distortion guitar", both(held("drive", cutoff=4200.0, decay=14.0, sustain=9.0), 5)),
    31: ("guitar harmonics", [struck("sine", 4.0, tune=12), struck("triangle", 2.5, tune=12, level=-10)]),
    32: ("acoustic bass", [struck("nylon", 4.0, cutoff=900.0, opened=16.0, closing=0.15), click(-26, 1200.0)]),
    33: ("finger bass", [struck("bass", 6.0, cutoff=1100.0, opened=12.0)]),
    34: ("pick bass", [struck("bass", 5.5, cutoff=2200.0, opened=14.0), click(-24)]),
    35: ("fretless bass", [held("bass", attack=0.02, decay=8.0, sustain=20.0, cutoff=900.0, vibrato=(0.12, 4.8, 0.2))]),
    36: ("slap bass", [struck("bass", 4.0, cutoff=2500.0, opened=26.0, closing=0.12), click(-18)]),
    37: ("slap bass 2", [struck("bass", 3.5, cutoff=3500.0, opened=26.0, closing=0.1), click(-18, 7000.0)]),
    38: ("synth bass", [held("saw", decay=3.0, sustain=12.0, cutoff=700.0, opened=28.0, closing=0.3, release=0.08)]),
    39: ("synth bass 2", [held("square", decay=3.0, sustain=12.0, cutoff=600.0, opened=22.0, release=0.08)]),
    40: ("violin", [bowed("violin"), breath(-34, 5000.0)]),
    41: ("viola", [bowed("viola"), breath(-34, 4000.0)]),
    42: ("cello", [bowed("cello", 0.08), breath(-34, 3000.0)]),
    43: ("contrabass", [bowed("cello", 0.1, 0.1, cutoff=1500.0), breath(-34, 1500.0)]),
    44: ("tremolo strings", both(replace(bowed("viola"), tremolo=(5.0, 9.0)), 6)),
    45: ("pizzicato", [struck("nylon", 1.1, cutoff=1800.0, opened=12.0, closing=0.12), click(-26, 1800.0)]),
    46: ("harp", [struck("nylon", 6.0, cutoff=1600.0, opened=14.0, closing=0.4, release=0.9)]),
    47: ("timpani", [struck("sine", 3.0, bend=0.6), struck("sine", 1.6, tune=7, level=-7), click(-16, 700.0, 0.12)]),
    48: ("strings", both(bowed("strings", 0.12, 0.1), 8)),
    49: ("slow strings", both(bowed("strings", 0.35, 0.1), 8)),
    50: ("synth strings", both(pad("saw", 0.12, cutoff=3200.0, release=0.4), 9)),
    51: ("synth strings 2", both(pad("saw", 0.3, cutoff=2200.0, release=0.5), 11)),
    52: ("choir aahs", both(pad("aah", 0.14, cutoff=0.0, release=0.4, vibrato=(0.14, 5.0, 0.3)), 9)),
    53: ("voice oohs", both(pad("ooh", 0.12, cutoff=0.0, release=0.35, vibrato=(0.14, 5.0, 0.3)), 7)),
    54: ("synth voice", both(pad("ooh", 0.06, cutoff=0.0, release=0.35), 10)),
    55: ("orchestra hit", [*both(struck("brass", 1.3), 9), struck("strings", 1.3, tune=-12), click(-14, 3000.0, 0.3)]),
    56: ("trumpet", [brass("trumpet", 0.025, 4200.0)]),
    57: ("trombone", [brass("brass", 0.04, 2200.0)]),
    58: ("tuba", [brass("horn", 0.05, 1100.0)]),
    59: ("muted trumpet", [brass("muted", 0.025, 6000.0)]),
    60: ("horn", [brass("horn", 0.055, 1500.0)]),
    61: ("brass section", both(brass("brass", 0.04, 3200.0), 8)),
    62: ("synth brass", both(brass("saw", 0.03, 2000.0, release=0.25), 8)),
    63: ("synth brass 2", both(brass("saw", 0.08, 1400.0, release=0.35), 10)),
    64: ("soprano sax", [blown("oboe", cutoff=5500.0), breath(-30)]),
    65: ("alto sax", [blown("sax"), breath(-28)]),
    66: ("tenor sax", [blown("sax", 0.04, cutoff=3600.0), breath(-26, 2500.0)]),
    67: ("baritone sax", [blown("sax", 0.05, cutoff=2500.0), breath(-28, 2000.0)]),
    68: ("oboe", [blown("oboe")]),
    69: ("english horn", [blown("oboe", cutoff=2600.0)]),
    70: ("bassoon", [blown("bassoon", 0.04, 0.06)]),
    71: ("clarinet", [blown("clarinet", 0.035, 0.03)]),
    72: ("piccolo", [blown("flute", 0.03), breath(-26, 6000.0)]),
    73: ("flute", [blown("flute", 0.05, 0.14), breath(-24, 4000.0)]),
    74: ("recorder", [blown("pure", 0.03, 0.05), breath(-28, 4000.0)]),
    75: ("pan flute", [blown("pure", 0.06, 0.1), breath(-17, 3500.0, 0.5)]),
    76: ("blown bottle", [blown("pure", 0.08, 0.04), breath(-14, 1500.0)]),
    77: ("shakuhachi", [replace(blown("flute", 0.07, 0.25), bend=-0.7, bending=0.1), breath(-16, 3000.0)]),
    78: ("whistle", [blown("sine", 0.04, 0.2), breath(-28, 6000.0)]),
    79: ("ocarina", [blown("pure", 0.04, 0.1)]),
    80: ("square lead", [held("square", cutoff=5000.0, vibrato=(0.08, 5.5, 0.4))]),
    81: ("saw lead", both(held("saw", cutoff=6000.0, vibrato=(0.08, 5.5, 0.4)), 5, 0.2)),
    82: ("calliope", [held("pure", attack=0.03, vibrato=(0.1, 5.5, 0.3)), breath(-22, 4000.0)]),
    83: ("chiff lead", [held("pure", attack=0.01), breath(-12, 5000.0, 0.25, 0.002)]),
    84: ("charang", [held("drive", cutoff=5000.0), held("saw", level=-8)]),
    85: ("voice lead", [held("aah", attack=0.04, vibrato=(0.15, 5.5, 0.3))]),
    86: ("fifths lead", [held("saw", cutoff=4500.0), held("saw", tune=7, level=-4, cutoff=4500.0)]),
    87: ("bass and lead", [held("saw", cutoff=3500.0), held("square", tune=-12, level=-3, cutoff=2000.0)]),
    88: ("new age pad", [*both(pad("warm", 0.2), 6), struck("sine", 3.0, tune=24, level=-16)]),
    89: ("warm pad", both(pad("triangle", 0.5, cutoff=1800.0), 8)),
    90: ("polysynth", both(held("saw", attack=0.02, cutoff=3000.0, release=0.5), 9)),
    91: ("choir pad", both(pad("ooh", 0.4, cutoff=0.0), 10)),
    92: ("bowed glass pad", both(pad("pure", 0.5, cutoff=0.0, tremolo=(1.5, 4.0)), 6)),
    93: ("metallic pad", [*both(pad("pulse", 0.3, cutoff=3500.0), 10), pad("sine", 0.3, tune=28, level=-18)]),
    94: ("halo pad", both(pad("aah", 0.5, cutoff=2200.0), 12)),
    95: ("sweep pad", both(replace(pad("saw", 0.3, cutoff=700.0), opened=30.0, closing=4.0), 9)),
    96: ("rain", [*bar(5.0, (12, -10, 0.5)), pad("pure", 0.4, level=-12)]),
    97: ("soundtrack", [*both(pad("saw", 0.5, cutoff=1300.0), 9), pad("triangle", 0.6, tune=7, level=-8)]),
    98: ("crystal", bar(6.0, (12, -7, 0.6), (31, -12, 0.3))),
    99: ("atmosphere", [struck("nylon", 4.0, cutoff=2600.0), *both(pad("ooh", 0.4, level=-8), 9)]),
    100: ("brightness", [*both(pad("pulse", 0.04, cutoff=5000.0), 8), struck("sine", 2.0, tune=24, level=-12)]),
    101: ("goblins", both(pad("pure", 0.6, vibrato=(0.4, 3.0, 0.0)), 14)),
    102: ("echoes", both(pad("warm", 0.1, tremolo=(6.0, 3.0)), 8)),
    103: ("sci-fi", both(pad("pulse", 0.2, cutoff=2200.0, vibrato=(0.25, 6.0, 0.0)), 12)),
    104: ("sitar", [struck("buzz", 5.0, cutoff=4500.0), struck("buzz", 6.0, tune=0.12, level=-6), click(-26)]),
    105: ("banjo", [struck("steel", 1.6, cutoff=4500.0), click(-18, 4000.0, 0.04)]),
    106: ("shamisen", [struck("buzz", 1.5, cutoff=3500.0), click(-16, 3000.0, 0.05)]),
    107: ("koto", [struck("steel", 3.5, cutoff=3500.0, opened=12.0, bend=0.25), click(-24)]),
    108: ("kalimba", [*bar(2.2, (33.0, -16, 0.25)), click(-26, 2500.0, 0.03)]),
    109: ("bagpipe", [*both(held("oboe", attack=0.03, release=0.06), 4), held("reed", tune=-12, level=-12)]),
    110: ("fiddle", [bowed("violin", 0.04, 0.12), breath(-28, 5500.0)]),
    111: ("shanai", [blown("oboe", 0.03, 0.22), held("buzz", level=-14, attack=0.03)]),
    112: ("tinkle bell", bar(4.0, (12, -4, 0.8), (19.0, -8, 0.6), (30.0, -12, 0.4))),
    113: ("agogo", bar(0.9, (9.0, -4, 0.8), (21.0, -10, 0.5))),
    114: ("steel drum", [*bar(2.8, (12, -4, 0.8), (19, -12, 0.5)), click(-26, 2500.0)]),
    115: ("woodblock", [struck("sine", 0.35, keyed=0), struck("sine", 0.25, tune=9.5, level=-6), click(-18)]),
    116: ("taiko", [struck("sine", 2.2, tune=-12, bend=9.0, bending=0.09), click(-10, 500.0, 0.3)]),
    117: ("melodic tom", [struck("sine", 1.5, tune=-6, bend=7.0, bending=0.12), click(-18, 1500.0)]),
    118: ("synth drum", [struck("triangle", 1.2, tune=-6, bend=24.0, bending=0.3)]),
    119: ("reverse cymbal", [held("metal", fixed=72, attack=1.6, decay=0.3, sustain=SILENT, release=0.2)]),
    120: (
        "fret noise",
        [breath(0, 4500.0, 0.3, 0.02)],
    ),
    121: ("breath noise", [Layer("noise", 0, attack=0.1, decay=0.9, sustain=SILENT, fixed=72, cutoff=1800.0)]),
    122: ("seashore", [held("noise", fixed=72, attack=1.0, release=1.5, cutoff=1200.0, tremolo=(6.0, 0.25))]),
    123: ("bird", [held("sine", tune=24, attack=0.02, vibrato=(2.5, 11.0, 0.0), tremolo=(8.0, 3.5), release=0.1)]),
    124: ("telephone", [held("triangle", tune=12, tremolo=(12.0, 18.0), release=0.05)]),
    125: ("helicopter", [held("noise", fixed=72, cutoff=500.0, tremolo=(14.0, 11.0), release=0.6)]),
    126: ("applause", [held("noise", fixed=72, attack=0.5, release=1.2, cutoff=4500.0, tremolo=(2.0, 7.0))]),
    127: (
        "gunshot",
        [replace(breath(0, 2500.0, 1.2, 0.001), release=0.8)],
    ),
}


def drum(wave: str, pitch: float, decay: float, level: float = 0.0, **more: float | int) -> Layer:
    """A drum's layer: one pitch, no end but its own."""
    given = {"attack": 0.001, "release": decay} | more
    return Layer(wave, level, decay=decay, sustain=SILENT, fixed=pitch, **given)  # type: ignore[arg-type]


def hiss(decay: float, level: float = 0.0, cutoff: float = 0.0, wave: str = "hiss", **more: float | int) -> Layer:
    """Bright noise."""
    return drum(wave, 72, decay, level, cutoff=cutoff, **more)


def skin(pitch: float, decay: float, noise: float = -16.0, bend: float = 5.0) -> list[Layer]:
    """A drum with a skin: a tone that falls, and the stroke."""
    return [drum("sine", pitch, decay, bend=bend, bending=0.08), drum("noise", 72, 0.12, noise, cutoff=2500.0)]


def wood(pitch: float, decay: float = 0.25) -> list[Layer]:
    """A block or stick of wood."""
    return [drum("sine", pitch, decay), drum("sine", pitch + 10.3, decay * 0.6, -7), hiss(0.03, -12)]


def metal(pitch: float, decay: float) -> list[Layer]:
    """A cowbell or an agogo."""
    return [drum("square", pitch, decay, -3, cutoff=5000.0), drum("square", pitch + 6.9, decay, -3, cutoff=5000.0)]


def cymbal(decay: float, level: float = 0.0, tune: float = 72) -> list[Layer]:
    """A plate of metal: clangs, and a hiss above."""
    return [drum("metal", tune, decay, level), hiss(decay * 0.7, level - 5)]


def hat(decay: float) -> list[Layer]:
    """A hi-hat, in one layer: layers of one note would end each other as its three sounds do."""
    return [drum("hat", 72, decay, choke=1)]


KICK = [drum("sine", 33, 0.55, bend=26.0, bending=0.06), hiss(0.03, -14)]
SNARE = [drum("noise", 72, 0.5, -2), hiss(0.35, -8), drum("sine", 55, 0.3, -3, bend=6.0, bending=0.03)]
SHAKEN = [hiss(0.12, 0, attack=0.012)]
DRUMS: dict[int, tuple[str, list[Layer]]] = {
    35: ("acoustic bass drum", [drum("sine", 31, 0.7, bend=22.0, bending=0.07), hiss(0.02, -20)]),
    36: ("bass drum", KICK),
    37: ("side stick", wood(77, 0.12)),
    38: ("snare", SNARE),
    39: ("hand clap", [drum("noise", 76, 0.35, hold=0.012), hiss(0.05, -4), drum("noise", 79, 0.06, -2)]),
    40: ("electric snare", [drum("noise", 76, 0.4), hiss(0.3, -6), drum("triangle", 57, 0.25, -4, bend=5.0)]),
    41: ("low floor tom", skin(41, 1.1)),
    42: ("closed hi-hat", hat(0.16)),
    43: ("high floor tom", skin(44, 1.0)),
    44: ("pedal hi-hat", hat(0.1)),
    45: ("low tom", skin(47, 0.9)),
    46: ("open hi-hat", hat(1.2)),
    47: ("low mid tom", skin(50, 0.85)),
    48: ("high mid tom", skin(53, 0.8)),
    49: ("crash", cymbal(3.2, 0, 70)),
    50: ("high tom", skin(57, 0.7)),
    51: ("ride", [*cymbal(2.6, -9, 79), drum("sine", 103, 0.9, -14)]),
    52: ("china", cymbal(2.4, 0, 64)),
    53: ("ride bell", [drum("sine", 95, 1.8, -2), drum("sine", 102.4, 1.4, -5), *cymbal(1.6, -12, 79)]),
    54: ("tambourine", [hiss(0.4, 0), drum("metal", 88, 0.35, -3)]),
    55: ("splash", cymbal(1.4, 0, 77)),
    56: ("cowbell", metal(72, 0.5)),
    57: ("crash 2", cymbal(2.9, 0, 73)),
    58: ("vibraslap", [drum("noise", 84, 1.2, tremolo=(12.0, 24.0)), drum("sine", 86, 0.4, -8)]),  # type: ignore[arg-type]
    59: ("ride 2", [*cymbal(2.2, -9, 76), drum("sine", 101, 0.8, -14)]),
    60: ("high bongo", skin(69, 0.35, -14, 2.0)),
    61: ("low bongo", skin(63, 0.45, -14, 2.0)),
    62: ("muted high conga", skin(64, 0.18, -10, 2.0)),
    63: ("open high conga", skin(62, 0.7, -16, 2.0)),
    64: ("low conga", skin(57, 0.8, -16, 2.0)),
    65: ("high timbale", [drum("sine", 69, 0.7), drum("sine", 76.5, 0.5, -5), drum("noise", 79, 0.15, -10)]),
    66: ("low timbale", [drum("sine", 63, 0.8), drum("sine", 70.5, 0.6, -5), drum("noise", 76, 0.15, -10)]),
    67: ("high agogo", metal(82, 0.55)),
    68: ("low agogo", metal(77, 0.65)),
    69: ("cabasa", SHAKEN),
    70: ("maracas", [hiss(0.09, 0, attack=0.004)]),
    71: ("short whistle", [drum("sine", 98, 0.25, attack=0.01), hiss(0.2, -16)]),
    72: ("long whistle", [drum("sine", 98, 1.2, attack=0.01, hold=0.2), hiss(0.9, -18)]),
    73: ("short guiro", [drum("noise", 84, 0.3, tremolo=(12.0, 40.0))]),  # type: ignore[arg-type]
    74: ("long guiro", [drum("noise", 84, 0.9, hold=0.25, tremolo=(12.0, 32.0))]),  # type: ignore[arg-type]
    75: ("claves", [drum("sine", 99, 0.2), hiss(0.02, -18)]),
    76: ("high woodblock", wood(84)),
    77: ("low woodblock", wood(77)),
    78: ("muted cuica", [drum("triangle", 70, 0.3, bend=-5.0, bending=0.12)]),
    79: ("open cuica", [drum("triangle", 66, 0.6, bend=-8.0, bending=0.3)]),
    80: ("muted triangle", [drum("sine", 108, 0.25), drum("sine", 114.6, 0.2, -4)]),
    81: ("open triangle", [drum("sine", 108, 3.0), drum("sine", 114.6, 2.4, -4), drum("sine", 119.3, 1.6, -8)]),
}

# Decibels below the piano's loudness at which programs and drums are set; the others are as loud as it.
QUIETER = {
    **dict.fromkeys(range(16, 24), 4.0),  # organs
    **dict.fromkeys(range(29, 31), 4.0),  # guitars through an amplifier
    **dict.fromkeys(range(40, 56), 3.0),  # strings, choirs
    **dict.fromkeys(range(56, 80), 2.0),  # winds
    **dict.fromkeys(range(80, 104), 4.0),  # synthesizers
    **dict.fromkeys(range(119, 128), 6.0),  # effects
}
QUIETER_DRUMS = {
    **dict.fromkeys((42, 44, 54, 69, 70), 9.0),
    **dict.fromkeys((46, 49, 51, 52, 53, 55, 57, 58, 59), 6.0),
    **dict.fromkeys((71, 75, 80), 8.0),
    **dict.fromkeys((72, 81), 3.0),
}
REGISTERS = {  # the key at which a program is measured; others at middle C
    **dict.fromkeys(range(32, 40), 40),
    **dict.fromkeys((43, 47, 58), 43),
    **dict.fromkeys((42, 57, 67, 70), 50),
    **dict.fromkeys((8, 9, 10, 13, 40, 72, 73, 78, 112), 79),
}
