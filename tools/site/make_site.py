"""Make the reading edition, build/site/html: `make site`.

All lessons, trials and pages with their stored outputs, for a browser, from disk or from any
server of files. Nothing is run, and no page asks another host for anything.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from crawl import problems
from reading_pages import ROOT, write_sources

CONFIGURATION = Path(__file__).resolve().parent
OUTPUT = ROOT / "build" / "site"
NEEDED = ("sphinx", "myst_nb", "furo")
MADE = ("source", "doctrees", "html")  # what is removed before it is made again


def missing() -> list[str]:
    """Return the packages that are needed and not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def build(root: Path, output: Path, repository: str = "") -> list[str]:
    """Make the site of a repository in `output`; return what is wrong with it."""
    for name in MADE:
        shutil.rmtree(output / name, ignore_errors=True)
    source, html = output / "source", output / "html"
    source.mkdir(parents=True)
    write_sources(root, source, repository)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-j", "auto", "--fail-on-warning"]
    command += ["-c", str(CONFIGURATION), "-d", str(output / "doctrees"), str(source), str(html)]
    done = subprocess.run(command, cwd=output)
    if done.returncode:
        return ["Sphinx did not succeed: its messages are above"]
    return problems(html)


def repository_address() -> str:
    """Return the address of the repository, to which links to its code lead; "" if unknown.

    It is the one in pyproject.toml, or else that of the repository whose workflow runs this.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if named := settings["project"].get("urls", {}).get("Repository"):
        return str(named).removesuffix("/").removesuffix(".git")
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{name}" if server and name else ""


def main(arguments: list[str] | None = None) -> int:
    """Make the site; print what is wrong with it, or where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--repository",
        default=repository_address(),
        help="an address such as https://github.com/someone/course: links to code lead there;"
        " without it, they become plain words",
    )
    options = parser.parse_args(arguments)
    if absent := missing():
        print(f'Not installed: {", ".join(absent)}. Run: python -m pip install -e ".[site]"')
        return 1
    found = build(ROOT, OUTPUT, options.repository)
    if found:
        print("\n".join(found))
        return 1
    print(f"Made {(OUTPUT / 'html' / 'index.html').relative_to(ROOT)}: open it in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
