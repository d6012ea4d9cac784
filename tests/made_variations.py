"""A theme and eleven variations of it as files, in the place where the corpus of K. 265 has Mozart's."""

from midi_files import metre, save, track

from fadernets.evaluation.human_variations import BARS

THEME = [(bar * 2 + beat, 1, pitch, 80) for bar in range(BARS) for beat in (0, 1) for pitch in (48, 60, 72)]


def _shifted(notes, part):
    return [(onset + part * BARS * 2, *rest) for onset, *rest in notes]


def write_variations(root):
    """The first variation is the theme, the second has triplets and no bass, the others a higher top; gives `root`."""
    triplets = [(onset + i / 3, 1 / 3, pitch, 80) for onset, _, pitch, _ in THEME for i in range(3) if pitch > 48]
    octaves = [(onset, length, pitch + 12 * (pitch == 72), 80) for onset, length, pitch, _ in THEME]
    parts = [THEME, THEME, triplets, *[octaves] * 9]
    folder = root / "Mozart" / "K265" / "Krn"
    folder.mkdir(parents=True)
    save(folder / "K265.mid", track([note for i, part in enumerate(parts) for note in _shifted(part, i)], metre(2, 4)))
    return root
