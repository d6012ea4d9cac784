"""Cases run in a process of their own, so that one that crashes, never ends or takes all memory is a finding.

A part names a function `case(seed, number) -> Case`. The process is started anew after a case that ended it.
"""

import contextlib
import importlib
import multiprocessing
import os
import re
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from torture.outcome import Outcome

HARD_LIMIT = 60.0  # seconds of the processor, after which a case is killed
LONGEST_WAIT = 600.0  # seconds of the clock, after which it is killed too
MOST_SECONDS = 5.0  # of the processor, up to LONG: more is a finding; longer pieces may take more in proportion
MOST_MEMORY = 500.0  # MB, up to LONG_IN_MEMORY: the same
LONG, LONG_IN_MEMORY = 2_000, 8_000  # quarter notes of a piece: 500 bars of common time, and four times as many
MOST_KEPT = 330.0  # MB that a process may keep from one case to the next, so that each case answers for its own
MORE_MEMORY = 3 * 2**30  # bytes that a case may take on top, so that a machine survives it


@dataclass
class Case:
    """One case: what it was, and what is wrong with its answer."""

    kind: str  # what was done, for the figures
    refused: bool = False
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: float = 0.0
    beats: float = 0.0  # how long the piece is, in quarters
    kept: float = 0.0  # MB that the process holds afterwards


def status(name):
    """A size in kB of this process, such as VmHWM; 0 where /proc does not say."""
    with contextlib.suppress(OSError):
        if found := re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text()):
            return int(found[1])
    return 0


def run(case: str, seed: int, numbers: Iterator[int]):
    """(number, Case) of every number; `case` is `module:function`."""
    process = _Process(case, seed)
    try:
        for number in numbers:
            found = process.ask(number)
            yield number, found
            if found.kind == "killed" or found.kept > MOST_KEPT:
                process.stop()
                process = _Process(case, seed)
    finally:
        process.stop()


def outcome_of(part: str, case: str, cases: int, seed: int, first: int) -> Outcome:
    """What cases of pieces found; those of long pieces have figures of their own."""
    outcome = Outcome(part, seed, first)
    for number, found in run(case, seed, range(first, first + cases)):
        is_long = found.beats > LONG
        costs = (0.0, 0.0) if is_long else (found.seconds, found.memory)
        outcome.add([f"case {number}: {line}" for line in found.findings], *costs)
        outcome.count("long pieces", int(is_long))
        if is_long:
            outcome.most("their worst seconds", round(found.seconds, 1))
            outcome.most("their peak MB", round(found.memory))
        outcome.count(found.kind)
        outcome.count("refused", int(found.refused))
        outcome.count("processes", int(found.kept > MOST_KEPT))
    return outcome


def tried(kind: str, act: Callable[[], list[str]], of_error: Callable[[str], list[str]] = lambda text: []) -> Case:
    """A case of an action, which finds lines or is refused by an error of one line; `of_error` looks at its text."""
    from fadernets.errors import FadernetsError

    found = Case(kind)
    try:
        found.findings = act()
    except FadernetsError as error:
        text = str(error)
        found.refused = True
        found.findings = [f"its error has several lines: {text!r:.200}"] if "\n" in text or not text.strip() else []
        found.findings += of_error(text)
    return found


class _Process:
    def __init__(self, case, seed):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, case, seed), daemon=True)
        self.process.start()
        other.close()
        if not self.pipe.poll(LONGEST_WAIT) or not self.pipe.recv():
            raise RuntimeError(f"{case} cannot be run")

    def ask(self, number):
        try:
            self.pipe.send(number)
            if not self._answers():
                return Case("killed", findings=[f"did not end in {HARD_LIMIT:.0f} s"], seconds=HARD_LIMIT)
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            return Case("killed", findings=[f"its process died (exit code {self.process.exitcode})"])

    def _answers(self):
        """Wait for an answer; false where the case took too long."""
        began, before = time.monotonic(), self._processor()
        while not self.pipe.poll(1.0):
            if self._processor() - before > HARD_LIMIT or time.monotonic() - began > LONGEST_WAIT:
                return False
        return True

    def _processor(self):
        """Seconds of the processor that the process has had; 0 where /proc does not say."""
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def stop(self):
        self.pipe.close()
        self.process.kill()
        self.process.join()


def _serve(pipe, case, seed):
    module, _, name = case.partition(":")
    function = getattr(importlib.import_module(module), name)
    _limit_memory()
    pipe.send(True)
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(_measured(function, seed, pipe.recv()))


def _limit_memory():
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        size = status("VmSize") * 1024 + MORE_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


@contextlib.contextmanager
def measured():
    """Only what runs inside counts as the case's time and memory: the checks of it do not."""
    _forget_peak()
    began = time.process_time()
    try:
        yield
    finally:
        _spent[:] = [_spent[0] + time.process_time() - began, max(_spent[1], status("VmHWM") / 1024)]


def doing(text, beats=0.0):
    """Say what the case is about, for the findings of one that fails, and how long its piece is."""
    _label[0], _beats[0] = text, beats


_spent, _label, _beats = [0.0, 0.0], [""], [0.0]  # of the case that runs


def _forget_peak():
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _measured(function, seed, number):
    _spent[:] = [0.0, 0.0]
    doing("")
    try:
        found = function(seed, number)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:160]
        found = Case(
            "error", findings=[f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {text}"]
        )
    found.seconds, found.memory, found.beats = *_spent, _beats[0]
    found.kept = status("VmRSS") / 1024
    if found.seconds > MOST_SECONDS * max(found.beats / LONG, 1):
        found.findings.append(f"took {found.seconds:.1f} s ({found.beats:.0f} beats)")
    if found.memory > MOST_MEMORY * max(found.beats / LONG_IN_MEMORY, 1):
        found.findings.append(f"took {found.memory:.0f} MB ({found.beats:.0f} beats)")
    found.findings = [f"{_label[0]}: {line}" for line in found.findings]
    return found
