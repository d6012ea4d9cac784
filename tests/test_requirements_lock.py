"""The lock names a version and a hash for all that is installed, and each of them has its licence written down."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
EXTRAS = ("train", "test", "docs")  # that the Makefile installs
LINE = re.compile(r"(\S+?)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)")


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked():
    """Package -> version; fails at a line without a hash."""
    found = {}
    for line in (ROOT / "requirements.lock").read_text().replace(" \\\n", "").splitlines():
        if line and not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match, line
            found[plain(match[1])] = match[2]
    return found


def test_every_requirement_is_locked_to_a_version_that_it_allows():
    versions = locked()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], f"fadernets[{','.join(EXTRAS)}]"]
    for requirement in map(Requirement, asked):  # grows: the package's own extras are spelled out
        if requirement.name == "fadernets":
            asked += [row for extra in requirement.extras for row in project["optional-dependencies"][extra]]
            continue
        assert versions[plain(requirement.name)] in requirement.specifier, requirement


def test_every_locked_package_has_its_licence_written_down():
    section = (ROOT / "LICENSES.md").read_text().partition("## requirements.lock")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:2] == "| "]
    assert {plain(name): version for name, version, _ in rows[1:]} == locked()
    assert all(licence for _, _, licence in rows)


def test_the_makefile_installs_by_hash():
    assert "--require-hashes --no-deps -r requirements.lock" in (ROOT / "Makefile").read_text()
