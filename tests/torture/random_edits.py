"""Random requests for edits: faders, presets, values by bar, bars, locks, and the hand or track edited alone."""

from fadernets.editing.requests import Faders

SET = {
    "rhythm_density": (0.0, 1.0),
    "note_density": (0.0, 8.0),
    "syncopation": (0.0, 12.0),
    "pitch": (25.0, 100.0),
    "dynamics": (1.0, 127.0),
    "articulation": (0.05, 1.0),
    "tempo": (20.0, 300.0),
}
MOVE = {
    "rhythm_density": 0.3,
    "note_density": 1.5,
    "syncopation": 3.0,
    "pitch": 9.0,
    "dynamics": 25.0,
    "articulation": 0.4,
    "tempo": 40.0,
}
PRESETS = ("arousal", "valence", "tension", "arousal-codes")
LOCKS = ("melody", "bass", "harmony", "rhythm", "3", "1,4-9", "1.1:60", "2.1:67", "melody:1-2", "rhythm:2")
WILD = (-1e9, 1e9, 0.0, 1e-9)  # values that no attribute has


def some_value(rng, low, high):
    return rng.choice(WILD) if rng.random() < 0.04 else rng.uniform(low, high)


def random_options(rng, rewriter):
    """Options of `Faders.checked`; `rewriter` says whether the model takes locks."""
    options = {"move": {}, "set": {}, "seed": rng.randrange(1000), "faithfulness": rng.choice((1.0, 1.0, 0.5, 0.0))}
    names = list(SET)
    for name in rng.sample(names, rng.choice((0, 1, 1, 1, 2, 3))):
        if rng.random() < 0.5:
            low, high = SET[name]
            value = some_value(rng, low, high)
            options["set"][name] = (value, some_value(rng, low, high)) if rng.random() < 0.15 else value
        else:
            value = some_value(rng, -2 * MOVE[name], 2 * MOVE[name])
            options["move"][name] = (value, -value) if rng.random() < 0.15 else value
    if rng.random() < 0.15:
        if rng.random() < 0.5:
            options["set"]["key"] = rng.choice(("a-minor", "c-major", "f#-minor", "eb-major"))
        else:
            options["move"]["key"] = float(rng.randint(-12, 12))
    if rng.random() < 0.15:
        options["preset"] = rng.choice(PRESETS[:3] if rewriter else PRESETS)
        options["amount"] = rng.choice((1.0, -1.0, 0.5, -3.0, 9.0))
        options["hold"] = rng.sample(names, rng.randrange(3))
    free = [name for name in names if name not in options["set"]]
    if rng.random() < 0.1 and free:
        name = rng.choice(free)
        low, high = SET[name]
        options["per_bar"] = {name: {bar: rng.uniform(low, high) for bar in rng.sample(range(1, 5), rng.randint(1, 3))}}
    if rng.random() < 0.4:
        first = rng.randint(1, 4)
        options["bars"] = [(first, first + rng.randrange(3))]
    if rewriter and rng.random() < 0.4:
        options["keep"] = rng.sample(LOCKS, rng.randint(1, 2))
    if rng.random() < 0.15:
        options["only"] = rng.choice(("left", "right", "1", "2"))
    elif rng.random() < 0.1:
        options["tracks"] = [rng.choice(("1", "2", "Piano"))]
    return options


def faders_of(options):
    """The request itself. Raises FadernetsError where it contradicts itself."""
    return Faders.checked(**options)
