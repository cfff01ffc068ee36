"""`python -m conformance.emulator`: the built-in endpoint on a port of this machine."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import secrets
import signal
import sys
import threading
from collections.abc import Mapping, Sequence

from .endpoint import Endpoint
from .faults import FAULTS
from .hooks import Behaviour, combine
from .server import serve
from .shapes import REVISIONS
from .variants import VARIANTS

KEY_VARIABLE = "MIMO_API_KEY"
DEFAULT_KEY = "built-in-key"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the endpoint until it is interrupted or terminated.

    The key is read from the environment, for an argument list is open to everybody on a machine. Returns 0
    when stopped or after listing names, 2 for an unknown name or a port that cannot be had.
    """
    options = _parser().parse_args(argv)
    if options.list_faults or options.list_variants:
        _list(FAULTS if options.list_faults else VARIANTS)
        return 0
    try:
        twists = [_find(FAULTS, "fault", name) for name in options.fault]
        twists += [_find(VARIANTS, "variant", name) for name in options.variant]
    except LookupError as unknown:
        print(unknown.args[0], file=sys.stderr)
        return 2
    endpoint = Endpoint(
        key=os.environ.get(KEY_VARIABLE) or DEFAULT_KEY,
        revision=options.revision,
        model=options.model,
        first_byte_ms=options.first_byte_ms,
        event_ms=options.event_ms,
        behaviour=combine(twists),
        # Two runs of the endpoint must not hand out the same identifiers.
        seed=secrets.token_hex(8),
    )
    return _run(endpoint, options)


def _run(endpoint: Endpoint, options: argparse.Namespace) -> int:
    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        try:
            log = stack.enter_context(open(options.log, "a", encoding="utf-8")) if options.log else None
            server = stack.enter_context(serve(endpoint, options.host, options.port, log))
        except (OSError, OverflowError) as failure:
            print(f"cannot start: {failure}", file=sys.stderr)
            return 2
        with contextlib.suppress(ValueError):
            # Only the main thread may set this; elsewhere an interrupt has to do.
            signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()
    return 0


def _find(known: Mapping[str, Behaviour], what: str, name: str) -> Behaviour:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1, 0)
    raise LookupError(f"there is no {what} {name!r}: did you mean {near[0]!r}?")


def _list(known: Mapping[str, Behaviour]) -> None:
    widest = max(map(len, known))
    for name, behaviour in known.items():
        print(f"{name:{widest}}  {behaviour.says}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.emulator",
        description="A built-in endpoint for POST /v1/responses: conformant by default, with faults on request.",
        epilog=f"It accepts the key in {KEY_VARIABLE}; the default is {DEFAULT_KEY!r}.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on; 0, the default, is any free one")
    add("--fault", action="append", default=[], metavar="NAME", help="violate a rule; repeatable")
    add("--variant", action="append", default=[], metavar="NAME", help="differ legally; repeatable")
    add("--revision", choices=REVISIONS, default=REVISIONS[0], help="default: %(default)s")
    add("--model", metavar="ID", help="a model to accept in addition to those of the revision")
    add("--first-byte-ms", type=float, default=0, metavar="MS", help="wait before a response")
    add("--event-ms", type=float, default=0, metavar="MS", help="wait between events")
    add("--log", metavar="FILE", help="append a JSON line for each request, without its headers")
    add("--list-faults", action="store_true", help="name all faults and stop")
    add("--list-variants", action="store_true", help="list all variants and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
