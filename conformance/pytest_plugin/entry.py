"""The entry point that pytest loads in every project: inert unless the checks or the fixture are requested.

``pytest --pyargs conformance.checks`` loads the plugin of the suite, with its options. Other runs get one fixture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.results.results_file import Results

_PLUGIN = "conformance.plugin"

#: The names by which the checks are selected with ``--pyargs``.
_CHECKS = re.compile(r"conformance(\.checks(\.\w+)*)?(::.*)?")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: Sequence[str]) -> None:
    """Load the plugin of the suite if the arguments name its checks."""
    if "--pyargs" in args and any(_CHECKS.fullmatch(word) for word in args):
        early_config.pluginmanager.import_plugin(_PLUGIN)


@pytest.fixture(scope="session")
def conformance_run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Results]:
    """A function that checks an endpoint: ``conformance_run(target, **options)``.

    The arguments are those of :func:`conformance.run`; the run folder is a temporary one by default.
    """

    def run(target: str | Path | None = None, **options: Any) -> Results:
        from conformance import api  # Imported only here, so that other projects do not pay for it.

        return api.run(target, **{"run_dir": tmp_path_factory.mktemp("conformance") / "run", **options})

    return run
