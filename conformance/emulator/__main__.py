"""`python -m conformance.emulator`: the built-in endpoint on a port of this machine."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import fnmatch
import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from .bench import Bench, snippets
from .endpoint import Endpoint
from .faults import FAULTS
from .hooks import Behaviour
from .server import serve
from .shapes import MODELS, REVISIONS
from .variants import VARIANTS

_GLOB = re.compile(r"[*?\[]")

#: How many active faults are listed at the start.
_MOST_LISTED = 10

KEY_VARIABLE = "MIMO_API_KEY"
DEFAULT_KEY = "built-in-key"


def main(argv: Sequence[str] | None = None, prog: str = "python -m conformance.emulator") -> int:
    """Runs the endpoint until it is interrupted or terminated; `prog` is the command that the help names.

    The key is read from the environment, for an argument list is open to everybody on a machine. Returns 0
    when stopped or after listing names, 2 for an unknown name or a port that cannot be had.
    """
    options = _parser(prog).parse_args(argv)
    if options.list_faults or options.list_variants:
        wanted = options.fault if options.list_faults else options.variant
        known = FAULTS if options.list_faults else VARIANTS
        _list({name: one for name, one in known.items() if not wanted or any(fnmatch.fnmatch(name, w) for w in wanted)})
        return 0
    key = os.environ.get(KEY_VARIABLE) or DEFAULT_KEY
    try:
        globs = [name for name in options.fault if _GLOB.search(name)]
        always = [_find(FAULTS, "fault", name) for name in options.fault if name not in globs]
        always += [_find(VARIANTS, "variant", name) for name in options.variant]
        in_turn = [FAULTS[name] for glob in globs for name in _matching(glob)]
        log = None if options.quiet else sys.stderr
        bench = Bench(partial(_endpoint, options, key), key, always, in_turn, options.script, FAULTS, log)
    except (LookupError, ValueError) as wrong:
        print(f"conformance: {wrong.args[0]}", file=sys.stderr)
        return 2
    return _run(bench, [*always, *in_turn], len(in_turn), options)


def _endpoint(options: argparse.Namespace, key: str, behaviour: Behaviour) -> Endpoint:
    return Endpoint(
        key=key,
        revision=options.revision,
        model=options.model,
        first_byte_ms=options.first_byte_ms,
        event_ms=options.event_ms,
        behaviour=behaviour,
        # Two runs of the endpoint must not hand out the same identifiers.
        seed=secrets.token_hex(8),
    )


def _matching(glob: str) -> list[str]:
    if found := fnmatch.filter(FAULTS, glob):
        return found
    raise LookupError(f"no fault matches {glob!r}; --list-faults lists them")


def _run(bench: Bench, active: Sequence[Behaviour], in_turn: int, options: argparse.Namespace) -> int:
    stopped = threading.Event()
    with contextlib.ExitStack() as stack:
        try:
            log = stack.enter_context(open(options.log, "a", encoding="utf-8")) if options.log else None
            server = stack.enter_context(serve(bench, options.host, options.port, log))
        except (OSError, OverflowError) as failure:
            print(f"conformance: cannot listen on {options.host} port {options.port}: {_why(failure)}", file=sys.stderr)
            return 2
        with contextlib.suppress(ValueError):
            # Only the main thread may set this; elsewhere an interrupt has to do.
            signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        print(server.url, flush=True)
        if not options.quiet:
            for line in _about(server.url, active, in_turn, options):
                print(line, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()
    return 0


def _about(url: str, active: Sequence[Behaviour], in_turn: int, options: argparse.Namespace) -> Iterator[str]:
    """The lines after the URL: key, model, active faults, and commands to begin with."""
    own = os.environ.get(KEY_VARIABLE)
    yield f"key     {f'the value of {KEY_VARIABLE}' if own else f'export {KEY_VARIABLE}={DEFAULT_KEY}'}"
    model = options.model or MODELS[options.revision][0]
    yield f"model   {model}, revision {options.revision}"
    turn = f", {'' if in_turn == len(active) else f'{in_turn} of them '}in turn" if in_turn else ""
    yield f"faults  {f'{len(active)}{turn}' if active else 'none'}"
    yield from (f"        {one.name}: {one.says}" for one in active[:_MOST_LISTED])
    if len(active) > _MOST_LISTED:
        yield f"        and {len(active) - _MOST_LISTED} more"
    if options.script:
        yield f"script  {options.script}, read again when it changes"
    yield from (f"{'try' if number == 0 else '':7} {line}" for number, line in enumerate(snippets(url, model)))
    yield "stop    Ctrl-C; a line follows for each request (none with --quiet)"


def _find(known: Mapping[str, Behaviour], what: str, name: str) -> Behaviour:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1, 0.7)
    hint = f"did you mean {near[0]!r}?" if near else f"--list-{what}s lists them"
    raise LookupError(f"no {what} {name!r}; {hint}")


def _why(failure: OSError | OverflowError) -> str:
    """The reason of the system, in its words."""
    return getattr(failure, "strerror", "") or str(failure)


def _list(known: Mapping[str, Behaviour]) -> None:
    widest = max(map(len, known), default=0)
    for name, behaviour in known.items():
        print(f"{name:{widest}}  {behaviour.says}")


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="A built-in endpoint for POST /v1/responses: conformant by default, with faults on request.",
        epilog=f"It accepts the key in {KEY_VARIABLE}; the default is {DEFAULT_KEY!r}.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=0, help="port to listen on; 0, the default, is any free one")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="violate a rule; repeatable; of a glob such as 'lifecycle.*', each request has the next fault",
    )
    add("--variant", action="append", default=[], metavar="NAME", help="differ legally; repeatable")
    add("--revision", choices=REVISIONS, default=REVISIONS[0], help="revision of the contract (default: %(default)s)")
    add("--model", metavar="ID", help="a model to accept in addition to those of the revision")
    add("--first-byte-ms", type=float, default=0, metavar="MS", help="wait before each response (default: %(default)s)")
    add("--event-ms", type=float, default=0, metavar="MS", help="wait between events (default: %(default)s)")
    add("--script", type=Path, metavar="FILE", help="TOML file of scripted responses (docs/emulator.md)")
    add("--quiet", action="store_true", help="print only the URL")
    add("--log", metavar="FILE", help="append a JSON line for each request, without its headers")
    add("--list-faults", action="store_true", help="list the faults (those of --fault, or all) and exit")
    add("--list-variants", action="store_true", help="list the variants (those of --variant, or all) and exit")
    return parser


if __name__ == "__main__":
    sys.exit(main())
