"""Loads the plugin in a checkout, so that ``pytest conformance`` works, and states what a bare ``pytest`` runs."""

import pytest

pytest_plugins = ["conformance.plugin"]


def pytest_report_header(config: pytest.Config) -> str:
    """Without arguments pytest runs the tests of the suite itself, which check no endpoint of the user."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return ""
    return "these are the suite's own tests; to check an endpoint: pytest conformance --endpoint https://host/v1"
