"""Install the clients in a directory: a Python environment, and npm packages if Node is available."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent

#: The minimum version of Node for each set of pinned packages, the newest one first.
PACKAGES = {22: HERE / "package-22.json", 20: HERE / "package.json"}
NODE = min(PACKAGES)

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
    package = package_for(node_version())
    if missing or not package.exists():
        say(f"Node clients are not installed: {missing or 'package.json is missing'}")
        return
    say(f"Node clients: the packages of {package.name}")
    shutil.copyfile(package, folder / "package.json")
    _run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], folder)


def pinned() -> list[str]:
    """The pinned Python packages, as requirements."""
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def without_node() -> str:
    """The reason why the Node clients cannot be installed; empty if they can."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node or npm is not installed"
    if node_version() < NODE:
        return f"node {_node_version() or 'without a version'} found, expected {NODE} or newer"
    return ""


def package_for(node: int) -> Path:
    """The file with the newest pinned packages that run on a major version of Node."""
    return next((file for least, file in PACKAGES.items() if node >= least), PACKAGES[NODE])


def node_version() -> int:
    """The major version of Node; 0 if it is not installed or prints no version."""
    version = re.match(r"v(\d+)", _node_version())
    return int(version[1]) if version else 0


def _node_version() -> str:
    if shutil.which("node") is None:
        return ""
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip()


def _run(words: Sequence[str], folder: Path) -> None:
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(f"{words[0]} failed: {error}") from None
    if done.returncode:
        printed = (done.stderr or done.stdout).strip().splitlines()
        raise CannotInstall(f"{' '.join(words[:4])} failed: {printed[-1] if printed else done.returncode}")
