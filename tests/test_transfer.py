import numpy as np
import time
from fadernets import transfer
from fadernets.subjects import Subject


def test_look(rated, toys):
    t = time.time()
    for n in ("fadernets", "single", "vanilla", "pati"):
        s = Subject(toys(n), rated)
        rows = s.corpus_rows("test")
        l = s.look(rows)
        out = s.decode(l, l.codes, l.values)
        print(n, len(rows), [len(np.unique(o[0])) for o in out.raw], out.cells.any((1, 2, 3)).mean(), time.time() - t)
        print({k: (v.mean(), v.std()) for k, v in l.codes.items()})
        if s.means:
            out = transfer.shift(s, l, np.ones(len(rows)))
            print((out.cells != s.decode(l, l.codes, l.values).cells).any((1, 2, 3)).mean())
    r = transfer.Regressor.fit(rated, ["vgmidi"])
    print(r.figures, time.time() - t)
    print(transfer.evaluate(Subject(toys("fadernets"), rated), r), time.time() - t)
