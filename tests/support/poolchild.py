"""One process of a run with one request: ``python -m tests.support.poolchild URL FOLDER``; prints the status."""

from __future__ import annotations

import sys
from pathlib import Path

from conformance.config.target import resolve
from conformance.exchange.planned import OutgoingRequest, PlannedRequest
from conformance.exchange.run_directory import RunDirectory
from conformance.wire.client import Client
from conformance.wire.limits import Limits
from conformance.wire.pool import Pool
from tests.support.running import KEY


def main(url: str, path: str) -> None:
    """Settle the one request, as any worker does."""
    folder = RunDirectory(Path(path))
    target = resolve({"endpoint": url, "max-output-tokens": "1000"}, {}, "nonce", None)
    outgoing = OutgoingRequest("one-000000000000", "one", 0, "POST", b'{"model": "m"}', "api-key", (), 4, most=400)
    planned = PlannedRequest(outgoing.key, (), lambda before: outgoing, lambda samples: None)
    pool = Pool([planned], folder, Client(target, KEY, Limits(target, folder.locks)), 2)
    print("ready", flush=True)
    print(pool.get_or_send(outgoing.key)[-1].status, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
