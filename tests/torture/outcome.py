"""What a part of the campaign found, as one line and as a row of a table."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

MOST_FINDINGS_SHOWN = 20
COLUMNS = ("part", "cases", "findings", "worst seconds", "peak MB", "figures", "seed", "command")


@dataclass
class Outcome:
    """The cases of one part: what is wrong, and what the others cost."""

    part: str
    seed: int
    first: int = 0  # the number of the first case
    cases: int = 0
    findings: list[str] = field(default_factory=list)  # a line each
    seconds: float = 0.0  # of the worst case, of the processor where nothing else is said
    memory: float = 0.0  # MB: the most that the process of a case held
    figures: dict[str, object] = field(default_factory=dict)  # name -> what else was counted

    @property
    def command(self):
        """The command that does the same again."""
        first = f" --first {self.first}" if self.first else ""
        return f"python -m torture {self.part} --cases {self.cases}{first} --seed {self.seed}"

    def add(self, findings=(), seconds=0.0, memory=0.0):
        """Count a case."""
        self.cases += 1
        for finding in findings:
            self.findings.append(finding)
            if len(self.findings) <= MOST_FINDINGS_SHOWN:
                print(f"  {self.part}: {finding}", file=sys.stderr, flush=True)
        self.seconds, self.memory = max(self.seconds, seconds), max(self.memory, memory)

    def count(self, name, more=1):
        """Count something in a figure."""
        self.figures[name] = self.figures.get(name, 0) + more

    def most(self, name, value):
        """Keep the highest value of a figure."""
        self.figures[name] = max(self.figures.get(name, 0), value)

    def row(self):
        """The values of COLUMNS as text."""
        figures = ", ".join(f"{name} {value}" for name, value in sorted(self.figures.items()))
        numbers = (str(self.cases), str(len(self.findings)), f"{self.seconds:.2f}", f"{self.memory:.0f}")
        return (self.part, *numbers, figures, str(self.seed), self.command)

    def line(self):
        """One line for the terminal."""
        return "; ".join(f"{name}: {value}" for name, value in zip(COLUMNS, self.row(), strict=True) if value)


def write_table(path, outcomes):
    """A Markdown file with a row for each part, and all findings below."""
    lines = ["# Campaign", "", f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS)]
    lines += [f"| {' | '.join(outcome.row())} |" for outcome in outcomes]
    for outcome in outcomes:
        lines += ["", f"## Findings: {outcome.part}", "", *(f"- {finding}" for finding in outcome.findings or ["none"])]
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
