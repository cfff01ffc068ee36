"""Install the clients in a directory: a Python environment, and npm packages if Node is available."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent

#: The minimum version of Node for the pinned packages.
NODE = 20

#: Timeout of a package manager, in seconds.
_TIMEOUT = 1800


class CannotInstall(Exception):
    """The clients cannot be installed; the message is one line."""


def install(folder: Path, say: Callable[[str], None]) -> None:
    """Create or update the directory with the pinned clients. ``say`` is called with one line for each step.

    pip and npm use their configured registries. Raises :class:`CannotInstall` if one of them fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotInstall(f"{folder} cannot be created: {error.strerror}") from None
    python = folder / "venv" / "bin" / "python"
    say(f"Python clients: {', '.join(pinned())}")
    if not python.exists():
        _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    requirements = str(HERE / "requirements.txt")
    _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", requirements], folder)
    missing = without_node()
    package = HERE / "package.json"
    if missing or not package.exists():
        say(f"Node clients are not installed: {missing or 'package.json is missing'}")
        return
    say(f"Node clients: the packages of {package.name}")
    shutil.copyfile(package, folder / package.name)
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], folder)


def pinned() -> list[str]:
    """The pinned Python packages, as requirements."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def without_node() -> str:
    """The reason why the Node clients cannot be installed; empty if they can."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node or npm is not installed"
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    version = re.match(r"v(\d+)", said)
    if version is None or int(version[1]) < NODE:
        return f"node {said.strip() or 'without a version'} found, expected {NODE} or newer"
    return ""


def _run(words: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"{words[0]} failed: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CannotInstall(f"{' '.join(words[:4])} failed: {said[-1] if said else done.returncode}")
