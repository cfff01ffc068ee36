"""`python -m conformance.emulator.proxy`: the reference proxy on a port of this machine."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading

from . import FAULTS, VARIANTS, ReferenceProxy
from .habit import CLEAN

CLIENT_KEY, UPSTREAM_KEY = "MIMO_API_KEY", "UPSTREAM_KEY"


def main() -> None:
    """Runs the proxy until it is interrupted or terminated. The keys are read from the environment."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.emulator.proxy",
        description="The reference proxy of conformance proxy.",
        epilog=f"Clients send the key in {CLIENT_KEY}; the upstream receives the one in {UPSTREAM_KEY}.",
    )
    add = parser.add_argument
    add("--upstream", required=True, metavar="URL", help="base URL of the upstream, ending in /v1")
    add("--dialect", choices=("responses", "chat"), default="responses", help="default: %(default)s")
    add("--port", type=int, default=0, help="port to listen on; 0, the default, is any free one")
    add("--fault", choices=sorted(FAULTS), metavar="NAME", help="violate a rule")
    add("--variant", choices=sorted(VARIANTS), metavar="NAME", help="differ legally")
    options = parser.parse_args()
    habit = FAULTS.get(options.fault) or VARIANTS.get(options.variant) or CLEAN
    keys = os.environ.get(CLIENT_KEY, "client-key"), os.environ.get(UPSTREAM_KEY, "upstream-key")
    stopped = threading.Event()
    with ReferenceProxy(options.upstream, options.dialect, *keys, habit, options.port) as proxy:
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        print(proxy.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()


if __name__ == "__main__":
    main()
