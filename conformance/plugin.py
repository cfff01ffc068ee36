"""The module name under which users load the pytest plugin: ``-p conformance.plugin``."""

from conformance.pytest_plugin.plugin import (
    pytest_addoption,
    pytest_cmdline_main,
    pytest_configure,
    pytest_unconfigure,
)

__all__ = ["pytest_addoption", "pytest_cmdline_main", "pytest_configure", "pytest_unconfigure"]
