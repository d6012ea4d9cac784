"""Model folders of which a field of model.json or a region of a graph is damaged: one clear line, or a right answer.

Each case copies a model, damages it, opens it and edits a piece with it. Nothing may be run or read outside the folder
and the package: an audit hook looks. Damaged graphs are tried with the hash as it was, and with the hash of the damage.
"""

import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from torture import isolated, mutator
from torture.isolated import Case
from torture.outcome import Outcome

CASES = 1500
MODELS = {
    "pop-lieder": ("encoder", "decoder"),
    "melody": ("encoder", "decoder"),
    "rewriter": ("encoder", "decoder", "chain"),
}
FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
    "socket.bind",
    "ctypes.dlopen",
)
VALUES = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "x", "../../etc/passwd", "a\nb",
    "\ud800", [], {}, [[]], [float("nan")], {"a": 1}, "x" * 100_000,
)  # fmt: skip


def run(cases: int = CASES, seed: int = 0, first: int = 0) -> Outcome:
    """All cases, from number `first` on."""
    outcome = Outcome("models", seed, first)
    for number, case in isolated.run("torture.models:case", seed, range(first, first + cases)):
        outcome.add([f"case {number}: {line}" for line in case.findings], case.seconds, case.memory)
        outcome.count(case.kind)
        outcome.count("refused", int(case.refused))
    return outcome


@cache
def _watched():
    """The list of what this process should not have done, and the switch ([bool]) that lets it be noted."""
    import onnxruntime

    import fadernets

    seen, allowed = (
        [],
        [str(Path(fadernets.__file__).parent), *sys.path[1:], sys.base_prefix, sys.prefix, tempfile.gettempdir()],
    )
    allowed += ["/proc/self", "/dev/null", "/sys/devices/system/cpu", str(Path(onnxruntime.__file__).parent)]
    allowed = [os.path.realpath(path) for path in allowed if path]

    def hook(event, arguments):
        if not looking[0]:
            return
        if event.startswith(FORBIDDEN):
            seen.append(f"{event} {arguments!r:.80}")
        elif event == "open" and isinstance(arguments[0], str):
            path = os.path.realpath(arguments[0])
            if not path.startswith(tuple(allowed)):
                seen.append(f"opened {path}")

    looking = [False]
    sys.addaudithook(hook)
    return seen, looking


def case(seed: int, number: int) -> Case:
    """One damaged model."""
    from fadernets.errors import FadernetsError

    rng = random.Random(f"{seed}/{number}")
    name = rng.choice(list(MODELS))
    kind = rng.choice(("field", "field", "text", "graph", "graph with its hash"))
    found = Case(kind)
    _use(name, _bundled(name))  # everything that is imported late is there
    seen, looking = _watched()
    seen.clear()
    with tempfile.TemporaryDirectory(prefix="torture-") as place:
        folder = Path(shutil.copytree(_bundled(name), Path(place) / "model"))
        isolated.doing(f"{name}: {damage(rng, kind, name, folder)}")
        try:
            looking[0] = True
            with isolated.measured():
                answer = _use(name, folder)
        except FadernetsError as error:
            found.refused = True
            if "\n" in str(error) or not 10 < len(str(error)) < 600:
                found.findings.append(f"its error is {str(error)!r:.200}")
        else:
            found.findings += _wrong(answer)
        finally:
            looking[0] = False
    found.findings += seen
    return found


def _bundled(name):
    from fadernets.engines import model_folder

    return model_folder.bundled()[name]


@cache
def _source():
    return mutator.written(mutator.small_piece(random.Random(4)))


def _use(name, folder):
    """Open a model and edit a piece with it, as its kind is used."""
    import fadernets

    if name == "melody":
        return fadernets.turn(_source(), pitch=2, rhythm=0.5, model=folder, regrid=True)
    return fadernets.edit(_source(), move={"rhythm_density": 0.25}, bars=[(1, 2)], model=folder)


def _wrong(answer):
    """Lines on what a model that was opened made: a file that reads, with what the report says."""
    from fadernets.music.document import Document
    from torture import edited_files

    source, after = Document.of_bytes(_source()), Document.of_bytes(answer.data)
    json.dumps(answer.report.as_dict(), allow_nan=False)
    return edited_files.readers(_source(), answer.data) + edited_files.released(source, after)


def damage(rng, kind, name, folder):
    """Damage a folder; what was done."""
    if kind == "field":
        return _damaged_field(rng, folder / "model.json")
    if kind == "text":
        return _damaged_bytes(rng, folder / "model.json", rng.choice((1, 3, 40)))
    graph = folder / f"{rng.choice(MODELS[name])}.onnx"
    done = _damaged_bytes(rng, graph, rng.choice((1, 8, 300)))
    if kind == "graph with its hash":
        info = json.loads((folder / "model.json").read_text())
        info["sha256"][graph.name] = hashlib.sha256(graph.read_bytes()).hexdigest()
        (folder / "model.json").write_text(json.dumps(info))
    return done


def _places(info, path=()):
    """The path of every field of a JSON, of long lists the first and the last."""
    rows = info.items() if isinstance(info, dict) else enumerate(info) if isinstance(info, list) else ()
    rows = list(rows)
    for key, value in rows if len(rows) < 6 or isinstance(info, dict) else [rows[0], rows[-1]]:
        yield (*path, key)
        yield from _places(value, (*path, key))


def _damaged_field(rng, path):
    info = json.loads(path.read_text())
    places = list(_places(info))
    place = rng.choice([p for p in places if len(p) == rng.choice((1, 2, 3, 4, 5))] or places)
    inner = info
    for key in place[:-1]:
        inner = inner[key]
    how = rng.choice(("value", "value", "gone", "longer", "scaled"))
    old, value = inner[place[-1]], rng.choice(VALUES)
    if how == "gone":
        del inner[place[-1]]
    elif how == "longer" and isinstance(old, list):
        inner[place[-1]] = old + old
    elif how == "scaled" and isinstance(old, (int, float)) and not isinstance(old, bool):
        inner[place[-1]] = old * rng.choice((-1, 0, 1e30, 1e-30, 2))
    else:
        how, inner[place[-1]] = "value", value
    path.write_text(json.dumps(info))
    return f"field {'.'.join(map(str, place))} {how} {value if how == 'value' else ''!r:.40}"


def _damaged_bytes(rng, path, count):
    data = bytearray(path.read_bytes())
    # The structure of a graph lies at the ends of its file more often than among the weights.
    at = rng.choice(
        (
            rng.randrange(len(data)),
            rng.randrange(min(3000, len(data))),
            len(data) - 1 - rng.randrange(min(60_000, len(data))),
        )
    )
    how = rng.choice(("flipped", "cut", "zeros", "ones"))
    if how == "cut":
        del data[at : at + rng.choice((1, count, len(data)))]
    else:
        for i in range(at, min(at + count, len(data))):
            data[i] = {"flipped": data[i] ^ (1 << rng.randrange(8)), "zeros": 0, "ones": 255}[how]
    path.write_bytes(data)
    return f"{path.name} {how} at {at} ({count})"
