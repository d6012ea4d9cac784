"""Studies with short made-up sounds, a server for them, and a panel of simulated subjects with known answer rates."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import uvicorn

from fadernets.listening import server as listening_server
from fadernets.listening import study_files
from fadernets.listening.store import Study
from fadernets.listening.study_files import ASPECTS, About, Pair
from fadernets.rendering import audio, loudness, wav_files
from fadernets.web import guard

WAV = wav_files.wav_bytes(np.zeros((2, 320), np.float32), study_files.RATE)
MEANS = {"arousal": 0.5, "rhythm_density": 0.5, "key": "C major"}


def tone(seconds):
    """A WAV file of one quiet tone."""
    wave = 0.05 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * study_files.RATE)) / study_files.RATE)
    return wav_files.wav_bytes(np.stack([wave, wave]).astype(np.float32), study_files.RATE)


def write_study(folder, ways, *, subjects=4, seed=0, wav=WAV):
    """A study of pairs with these directions, all with the same sound."""
    import pytest

    def pair(i, way):
        return Pair(f"piece {i}", way, "rule", b"MThd", b"MThd", MEANS, MEANS)

    about = About(seed, {"name": "toy", "sha256": {}}, "arousal", 1.0, {}, {"kind": "folder"}, "by rule", [])
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audio, "render", lambda _, path, **__: path.write_bytes(wav))
        patch.setattr(loudness, "match", lambda _: -20.0)
        study_files.write(
            folder, folder.name, about, pair("x", "up"), [pair(*row) for row in enumerate(ways)], subjects
        )
    return folder


@contextmanager
def served(folder, port=0, hosts=guard.LOOPBACK):
    """Serve a study on loopback; gives its address."""
    listener = guard.listen("127.0.0.1", port)
    with Study.open(folder) as study:
        server = uvicorn.Server(uvicorn.Config(listening_server.create(study, hosts=hosts), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield guard.address("127.0.0.1", listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()
            listener.close()


def tokens_of(folder):
    return list(study_files.read_tokens(folder))


def rate(value=3, **others):
    return dict.fromkeys(ASPECTS, value) | others


def answer(study, token, trial, changed="up", ratings=None):
    played = {"original": 1, "transformed": 1, "seconds": 20.0}
    return study.answer(token, trial, changed=changed, ratings=ratings or rate(), played=played)


def begin(study, token):
    """Consent and answer the practice trial. Returns the state afterwards."""
    study.consent(token)
    return answer(study, token, study.subject(token).practice.id)


AGREE = {"up": 0.8, "down": 0.7}  # true rates of agreement; two thirds of the other answers are "none"
OPINIONS = {"rhythm": 3.5, "melody": 3.0, "harmony": 4.0, "naturalness": 2.5}  # true means


def panel(study, seed=0, agree=AGREE, opinions=OPINIONS):
    """Every subject answers every trial in their order, with these rates and mean ratings."""
    rng = np.random.default_rng(seed)
    ways = {trial.id: trial.direction for trial in study.manifest.trials}
    for token in tokens_of(study.folder):
        state = begin(study, token)
        kindness = rng.normal(0, 0.3)  # some subjects rate higher than others
        for trial in state.trials:
            way = ways[trial.id]
            opposite = "down" if way == "up" else "up"
            rest = 1 - agree[way]
            changed = str(rng.choice([way, "none", opposite], p=[agree[way], rest * 2 / 3, rest / 3]))
            ratings = {aspect: draw(rng, mean + kindness) for aspect, mean in opinions.items()}
            answer(study, token, trial.id, changed, ratings)
        study.finish(token)


def draw(rng, mean):
    """A rating of 1 to 5 with this mean: one of the two nearest values, or sometimes the next one on either side."""
    low = int(np.floor(mean))
    value = low + int(rng.random() < mean - low)
    step = int(rng.random() < 0.3) * min(value - 1, 5 - value, 1)
    return value + step * int(rng.choice([-1, 1]))
