"""Makes the folder with the clients: a Python environment, and Node's packages where Node is present."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent

#: The oldest Node that the pinned packages run on.
NODE = 20

#: Seconds that a package manager may take.
_PATIENCE = 1800


class CannotInstall(Exception):
    """The clients cannot be installed; the message is one line."""


def install(folder: Path, say: Callable[[str], None]) -> None:
    """Make or renew the folder with the pinned clients; ``say`` gets what is done and what is left out, a line each.

    The registries are those that pip and npm are configured for. :class:`CannotInstall` if one of them fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotInstall(f"{folder} cannot be made: {error.strerror}") from None
    python = folder / "venv" / "bin" / "python"
    say(f"Python clients: {', '.join(pinned())}")
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    requirements = str(HERE / "requirements.txt")
    _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements], folder)
    missing = without_node()
    package = HERE / "package.json"
    if missing or not package.exists():
        say(f"Node clients are left out: {missing or 'there is no package.json'}")
        return
    say(f"Node clients: those of {package.name}")
    shutil.copyfile(package, folder / package.name)
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], folder)


def pinned() -> list[str]:
    """The Python packages with their versions."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def without_node() -> str:
    """Why the clients that need Node cannot be installed; empty if they can."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not both there"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    version = re.match(r"v(\d+)", said)
    if version is None or int(version[1]) < NODE:
        return f"node {said.strip() or 'says no version'}; {NODE} or newer is needed"
    return ""


def _run(words: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"{words[0]} failed: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotInstall(f"{' '.join(words[:4])} failed: {said[-1] if said else done.returncode}")
