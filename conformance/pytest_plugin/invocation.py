"""How the user started a run, and the command that evaluates one case of it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

#: Options that apply to one run only, each with a value; the command to evaluate a case again omits them.
_OPTIONS_OF_ONE_RUN = (
    "--only", "--skip", "--results", "--run-dir", "--html", "--markdown", "--badge", "--sarif", "--ctrf", "--junitxml",
    "--junit-xml", "--alluredir", "-n", "--numprocesses", "--maxfail", "-k", "-m", "--deselect", "--durations", "-r",
    "--tb", "--color", "--verbosity",
)  # fmt: skip

#: Options that apply to one run only, without a value; of short options also several in one word, as in ``-xvv``.
_FLAGS_OF_ONE_RUN = (
    "--overwrite", "--exitfirst", "--lf", "--last-failed", "--ff", "--failed-first", "--nf", "--new-first", "--sw",
    "--stepwise", "--sw-skip", "--stepwise-skip", "--sw-reset", "--stepwise-reset", "--quiet", "--verbose",
)  # fmt: skip

_SHORT_FLAGS = re.compile(r"-[qvxs]+|-r\w+|-n\d+")


@dataclass(frozen=True)
class Invocation:
    """The words of a command that runs pytest, such as ``conformance run``. Pass it to :func:`pytest.main` as a plugin:
    the commands that a report shows then begin with it."""

    words: tuple[str, ...]


def rerun_command(config: pytest.Config, nonce: str) -> str:
    """The command line of this run without the options that apply to one run only, and with the seed of its random
    requests, which is ``nonce`` by default."""
    given = [one for one in config.pluginmanager.get_plugins() if isinstance(one, Invocation)]
    words = list(given[0].words) if given else ["pytest", *map(str, config.invocation_params.args)]
    words = lasting(words)
    if config.getoption("explore") and config.getoption("explore_seed") is None:
        words += ["--explore-seed", str(int(nonce, 16))]  # Else another run sends other requests.
    return shlex.join(words)


def lasting(words: Sequence[str]) -> list[str]:
    """The words of a command without the options that apply to one run only."""
    kept: list[str] = []
    is_value = False
    for word in words:
        name, equals, _ = word.partition("=")
        if is_value:
            is_value = False
        elif name in _OPTIONS_OF_ONE_RUN:
            is_value = not equals
        elif name not in _FLAGS_OF_ONE_RUN and not _SHORT_FLAGS.fullmatch(word):
            kept.append(word)
    return kept
