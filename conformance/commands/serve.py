"""``conformance serve``: the built-in endpoint alone."""

from __future__ import annotations

import argparse

from conformance.emulator.__main__ import main as serve

HELP = "run the built-in endpoint alone (conformance serve --help)"
PASSES_ON = True


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of ours: the endpoint's own program reads them."""


def main(words: list[str]) -> int:
    """Serve until interrupted."""
    return serve(words)
