"""Write requirements.lock, what CI and a container install (each file by its hash), and LICENSES.md, what
licences it has: python scripts/lock_requirements.py

The versions are those installed where it runs, in which the tests have passed: all that
`fadernets[train,test,docs]` needs. The files are those that pip chooses on this system and Python, which the lock
names; pip's own settings (PIP_EXTRA_INDEX_URL) say where it looks, such as for PyTorch's builds for processors. Install
with

    pip install --require-hashes --no-deps -r requirements.lock && pip install --no-deps -e .
"""

import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCK, LICENSES, PAGE = ROOT / "requirements.lock", ROOT / "LICENSES.md", ROOT / "studio" / "package-lock.json"
PIP = [sys.executable, "-m", "pip"]
EXTRAS = ("train", "test", "docs")  # that the Makefile installs
WORDS = 60  # characters of a licence: more is its whole text


def main():
    rows = sorted(resolved(), key=lambda row: name_of(row).lower())
    for path, text in ((LOCK, lock(rows)), (LICENSES, licences(rows))):
        path.write_text(text, encoding="utf-8")


def needed():
    """The installed packages that the package and its EXTRAS need: name -> version."""
    found, seen = {}, set()
    waiting = [Requirement(f"fadernets[{','.join(EXTRAS)}]")]
    while waiting:
        asked = waiting.pop()
        name, extras = re.sub(r"[-_.]+", "-", asked.name).lower(), frozenset(asked.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        installed = metadata.distribution(asked.name)
        found[name] = installed.version
        for requirement in map(Requirement, installed.requires or ()):
            if not requirement.marker or any(requirement.marker.evaluate({"extra": e}) for e in extras or ("",)):
                waiting.append(requirement)
    del found["fadernets"]
    return found


def resolved():
    """pip's report on each package: the file that it takes, its hash, its metadata."""
    with tempfile.TemporaryDirectory() as folder:
        named, report = Path(folder, "named.txt"), Path(folder, "report.json")
        named.write_text("\n".join(f"{name}=={version}" for name, version in needed().items()), encoding="utf-8")
        command = [
            *PIP,
            "install",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "-q",
            "--report",
            report,
            "-r",
            named,
        ]
        subprocess.run(command, check=True, stdout=sys.stderr)
        return json.loads(report.read_text(encoding="utf-8"))["install"]


def name_of(row):
    return row["metadata"]["name"]


def lock(rows):
    """The text of requirements.lock."""
    python, system = f"{sys.version_info.major}.{sys.version_info.minor}", sys.platform
    lines = [
        f"# Written by scripts/lock_requirements.py for Python {python} on {system}.",
    ]
    for row in rows:
        digest = row["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{name_of(row)}=={row['metadata']['version']} --hash=sha256:{digest}")
    return "\n".join(lines) + "\n"


def licences(rows):
    """The text of LICENSES.md."""
    parts = [
        "# Licences of what is installed",
        "Written by `scripts/lock_requirements.py` from each package's own metadata. What the package bundles is in "
        "[NOTICES](NOTICES.md).",
        "## requirements.lock",
        table([(name_of(row), row["metadata"]["version"], licence(name_of(row))) for row in rows]),
        "## studio/package-lock.json",
        "Of these, the built page holds those in `src/fadernets/page/licenses.txt`; the others build and test it.",
        table(page_rows()),
    ]
    return "\n\n".join(parts) + "\n"


def licence(name):
    """An SPDX expression, else what the classifiers say, else a short licence field."""
    about = metadata.metadata(name)
    classifiers = [c.rsplit(" :: ", 1)[-1] for c in about.get_all("Classifier", []) if c.startswith("License ::")]
    short = about.get("License", "").strip()
    short = "" if len(short) > WORDS or "\n" in short else short
    return about.get("License-Expression") or ", ".join(classifiers) or short or "see its files"


def page_rows():
    packages = json.loads(PAGE.read_text(encoding="utf-8"))["packages"]
    rows = {
        (path.rpartition("node_modules/")[2], package["version"], package.get("license", "see its files"))
        for path, package in packages.items()
        if path
    }
    return sorted(rows)


def table(rows):
    cells = [(name, version, what.replace("|", "\\|")) for name, version, what in rows]
    return "\n".join(["| package | version | licence |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)])


if __name__ == "__main__":
    main()
