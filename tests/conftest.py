"""Settings of the suite's own tests."""

import gc
import signal
import threading

import pytest
from hypothesis import settings

# A loaded machine is slow, which is no finding.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# A shell starts its background jobs with SIGINT ignored, which the processes of the tests would inherit: the tests that
# interrupt a run would fail.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Files whose tests mostly wait: for time-outs, servers and other processes. They begin first, so that one worker of
#: xdist waits while the others compute, and none of them is the last.
_WAITING = frozenset({
    "test_deploy.py", "test_first_failure.py", "test_guides.py", "test_hostile_endpoints.py", "test_nightly.py",
    "test_proxy_faults.py", "test_proxy_pytest.py", "test_setup_errors.py", "test_stalls.py", "test_trials.py",
})  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files: those that wait, then the others."""
    items.sort(key=lambda item: item.path.name not in _WAITING)
    gc.collect()
    gc.freeze()  # Ten thousand tests live until the end: the garbage collector need not go through them.
    gc.set_threshold(50_000, 20, 20)
