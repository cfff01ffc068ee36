"""The image is built and run, where a program that builds images works and has the base image or can get it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMAGE = "conformance-of-the-tests"
BASE = next(
    line.split()[1] for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if "FROM " in line
)

#: The programs, each with the words by which it finds an image that is there.
BUILDERS = {"docker": ("image", "inspect"), "podman": ("image", "inspect"), "buildah": ("inspect", "--type", "image")}

#: Without user namespaces, so that it works in a container.
BUILDAH = ("--isolation", "chroot")


def done(*words: str, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=seconds)


def works(*words: str, seconds: int = 60) -> bool:
    try:
        return done(*words, seconds=seconds).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="module")
def image() -> Iterator[list[str]]:
    """The command that runs the image; the test is skipped where it cannot be built."""
    builder = next((one for one in BUILDERS if shutil.which(one) and works(one, "info")), "")
    if not builder:
        pytest.skip("no program that builds images works here: docker, podman or buildah")
    if not works(builder, *BUILDERS[builder], BASE) and not works(builder, "pull", BASE, seconds=300):
        pytest.skip(f"{builder} has no image {BASE} and cannot get it")
    options = BUILDAH if builder == "buildah" else ()
    built = done(builder, "build", *options, "-t", IMAGE, ".", seconds=900)
    assert built.returncode == 0, built.stdout + built.stderr
    if builder == "buildah":
        container = done(builder, "from", IMAGE).stdout.strip()
        yield [builder, "run", *BUILDAH, container, "--", "conformance"]
        done(builder, "rm", container)
    else:
        yield [builder, "run", "--rm", IMAGE]
    done(builder, "rmi", IMAGE)


def test_the_image_has_the_command(image: list[str]) -> None:
    said = done(*image, "--version")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("conformance ")


def test_the_image_checks_the_built_in_endpoint_as_another_user(image: list[str]) -> None:
    said = done(*image, "run", "-q", "-m", "smoke", seconds=300)
    assert said.returncode == 0, said.stdout + said.stderr
    assert "no violation found" in said.stdout
