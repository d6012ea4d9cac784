"""The documentation says what is so: the tutorial's commands print what it shows, and every command line is one."""

import argparse
import contextlib
import importlib.util
import io
import json
import re
import shlex
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from fadernets.attributes import of_segments, table
from fadernets.cli import main

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
# Their text names commands as they were when they were run.
RECORDS = [*(ROOT / "docs" / "results").glob("*.md"), ROOT / "docs" / "results.md", ROOT / "docs" / "lab.md"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def command_lines(page):
    """The lines of a page's code blocks that run fadernets, without prompts, comments and what follows a semicolon."""
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    for line in text.splitlines():
        stripped = line.removeprefix("$ ") if line.startswith("$ ") else line
        if not (line.startswith(("    ", "$ ")) or stripped.startswith(("fadernets ", "srun fadernets "))):
            continue
        for part in stripped.split(";"):
            words = shlex.split(part, comments=True) if "fadernets " in part else []
            words = words[1:] if words[:1] == ["srun"] else words
            if words[:1] == ["fadernets"]:
                yield words[1:]


def mentions(page):
    """Commands named in running text, such as `fadernets train --sweep`: the words up to what is no option."""
    for text in re.findall(r"`fadernets ([a-z][^`]*)`", page.read_text(encoding="utf-8")):
        yield text.split()


def subparser(parser, name):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices.get(name)
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_line_is_one_that_the_program_takes(page):
    parser = main._parser()
    for words in command_lines(page):
        try:
            parser.parse_args(words)
        except SystemExit as error:
            pytest.fail(f"{page.name}: fadernets {shlex.join(words)} (exit {error.code})")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page not in RECORDS], ids=lambda page: str(page.relative_to(ROOT))
)
def test_commands_and_options_named_in_the_text_exist(page):
    for words in mentions(page):
        parser = main._parser()
        while words and (inner := subparser(parser, words[0])):
            parser, words = inner, words[1:]
        known = {option for action in parser._actions for option in action.option_strings}
        assert parser.prog != "fadernets", f"{page.name}: no command {words[0]}"
        missing = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
        assert not missing, f"{page.name}: {parser.prog} has no {missing[0]}"


def printed(run, warnings=True):
    """What a call prints, both streams in their order, or without warnings what it prints on standard output."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out if warnings else io.StringIO()):
        run()
    return out.getvalue()


def pattern(shown):
    """Shown lines as a regular expression in which a line `...` stands for any lines."""
    lines = ["(?:.*\n)*?" if line == "..." else re.escape(line.rstrip()) + r"[ ]*\n" for line in shown.splitlines()]
    return re.compile("".join(lines))


def compare(command, shown, found):
    assert pattern(shown).fullmatch(found), f"{command}\n--- shown\n{shown}\n--- printed\n{found}"


def test_the_tutorial_prints_what_it_shows(tmp_path, monkeypatch):
    """One session from the first command to the last, each in the same folder."""
    monkeypatch.chdir(tmp_path)
    blocks = FENCE.findall(TUTORIAL.read_text(encoding="utf-8"))
    ran, program, names = 0, None, {}
    for language, body in blocks:
        if language == "console":
            command, _, shown = body.partition("\n")
            words = shlex.split(command.removeprefix("$ fadernets "))
            compare(command, shown, printed(lambda words=words: main.main(words)))
        elif language == "python":
            program = body
            continue
        elif language == "text" and program:
            code = compile(program, "tutorial", "exec")
            compare(program, body, printed(lambda code=code: exec(code, names)))
        ran += 1
    assert ran >= 8


def test_the_page_of_faders_gives_the_ranges_of_the_table():
    text = (ROOT / "docs" / "reference" / "faders.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| `([a-z-]+)` \| [^|]* \| ([^|;]*)[^|]* \| [^|]* \|$", text, re.MULTILINE))
    for row in table.ATTRIBUTES.values():
        high = of_segments.HIGHEST.get(row.name, row.high)
        assert row.names or said[row.option].strip() == f"{row.low:g}..{high:g}"


def named_blocks(page):
    """The Python files that a page shows: name -> text. Their first line is a comment with the name."""
    blocks = [body for language, body in FENCE.findall(page.read_text(encoding="utf-8")) if language == "python"]
    return {body.splitlines()[0].removeprefix("# "): body for body in blocks if body.startswith("# ")}


@pytest.fixture
def work_folder(tmp_path, monkeypatch):
    """A folder with the files that the pages show, and the bundled piece as in.mid; attributes are forgotten after."""
    for page in PAGES:
        for name, text in named_blocks(page).items():
            (tmp_path / name).write_text(text, encoding="utf-8")
    piece = resources.files("fadernets") / "assets" / "k545.mid"
    (tmp_path / "in.mid").write_bytes(piece.read_bytes())
    monkeypatch.chdir(tmp_path)
    before = dict(table.ATTRIBUTES), set(table.USER_DEFINED)
    yield tmp_path
    for name in set(table.ATTRIBUTES) - set(before[0]):
        del table.ATTRIBUTES[name]
    table.USER_DEFINED.intersection_update(before[1])


@pytest.mark.parametrize(("name", "move"), [("thickness", 0.3), ("contrast", 3.0)])
def test_the_attributes_that_the_how_to_page_shows_are_faders(work_folder, name, move):
    words = ["apply", "in.mid", "out.mid", "--attributes", f"{name}.py", "--move", f"{name}={move}", "--bars", "1-4"]
    report = json.loads(printed(lambda: main.main([*words, "--json"]), warnings=False))
    moved = [segment["measured"][name] - segment["before"][name] for segment in report["segments"][:4]]
    assert sum(moved) / 4 == pytest.approx(move, abs=0.2 * move)


def test_the_augmentation_that_the_page_of_melodies_shows_is_one(work_folder):
    words = ["inspect", "melody", "--augmentation", "mine.py", "--json"]
    assert "later" in printed(lambda: main.main(words))


def test_a_page_that_differs_is_noticed():
    with pytest.raises(AssertionError):
        compare("x", "a\n...\nc\n", "a\nb\nd\n")
    compare("x", "a\n...\nc\n", "a\nb\nc\n")


def test_the_readme_names_the_test_command_and_stays_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in text
    assert "make demo" in text
    assert len(text.splitlines()) < 100


def git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)


def test_every_commit_that_a_page_names_is_in_the_history_or_told_not_to_be():
    """A figure can be looked up by its commit; docs/results.md lists those that were landed together."""
    if git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("needs the whole history")
    known = git("rev-list", "HEAD").stdout.split()
    named = {
        (page.name, commit) for page in PAGES for commit in re.findall(r"`([0-9a-f]{7,10})`", page.read_text("utf-8"))
    }
    assert len(named) > 50
    lost = {(page, commit) for page, commit in named if not any(one.startswith(commit) for one in known)}
    told = (ROOT / "docs" / "results.md").read_text("utf-8").split("landed together")[1]
    assert {(page, commit) for page, commit in lost if f"`{commit}`" not in told} == set()


# The papers, sentence by sentence


@pytest.fixture(scope="module")
def paper_lines():
    spec = importlib.util.spec_from_file_location("paper_lines", ROOT / "scripts" / "paper_lines.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_every_sentence_of_the_papers_names_code_that_is_there(paper_lines):
    text = paper_lines.PAGE.read_text(encoding="utf-8")
    cells = list(paper_lines.cells(text))
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| the paper says")]
    assert len(cells) == len(rows) > 60
    named = [one for cell in cells for one in paper_lines.references(cell)]
    for one in named:
        lines = one.path.read_text(encoding="utf-8").splitlines() if one.path.is_file() else [""]
        assert one.name.rpartition(".")[2] in lines[one.line - 1]
    assert sum(bool(one.name) for one in named) > 100


def test_the_site_shows_the_line_of_each_name(paper_lines):
    page = (
        "| the paper says | here | where |\n|---|---|---|\n"
        "| a | `Mixture` | `Model.loss`, `Mixture` in `models/base.py`; `recipes/paper` |\n"
        "\n`Mixture` in `models/base.py`\n"
    )
    loss, mixture = (paper_lines.Reference("models/base.py", name).line for name in ("Model.loss", "Mixture"))
    source = (ROOT / "src/fadernets/models/base.py").read_text(encoding="utf-8").splitlines()
    assert source[loss - 1].startswith("    def loss(")
    assert source[mixture - 1].startswith("class Mixture(")
    cell = f"`Model.loss` (line {loss}), `Mixture` (line {mixture}) in `models/base.py`; `recipes/paper`"
    assert paper_lines.with_lines(page) == page.replace(
        "`Model.loss`, `Mixture` in `models/base.py`; `recipes/paper`", cell
    )


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("`Mixture`", "name code as `NAME` in `FILE`"),
        ("a sentence", "name code as `NAME` in `FILE`"),
        ("`Mixture.loss` in `models/base.py`", "models/base.py: has no Mixture.loss"),
        ("`Mixture` in `models/bases.py`", "models/bases.py: no such file"),
    ],
)
def test_code_that_is_not_there_is_noticed(paper_lines, cell, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        paper_lines.with_lines(f"| the paper says | here | where |\n|---|---|---|\n| a | b | {cell} |\n")
