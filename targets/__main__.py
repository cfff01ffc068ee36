"""``python -m targets [NAME ...]``: install and start the third-party servers one after another, judge each and the
built-in endpoint, and write ``reports/matrix.md`` and ``reports/matrix.html``. ``make matrix`` is the same.

A server that does not install or start is a line in the table's notes. Exit code 0 if each was judged, 1 if one was
not, 2 if a name is not known.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from targets.servers import Recipe, Unusable, install, recipe, running
from targets.upstream import Upstream

HERE = Path(__file__).parent
ROOT = HERE.parent
BUILT_IN = "built-in"

#: What clients of the servers send; some take only what begins like this.
CLIENT_KEY = "sk-not-a-secret-5d21c0"

#: What stands at the head of the table, around the suite's revision.
_MADE, _READ = "Made by python -m targets, with the suite at", "docs/servers.md says how to read it."

#: Seconds for one server to be judged.
_JUDGED = 900.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge them and write the table."""
    parser = argparse.ArgumentParser(prog="python -m targets", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="target files to judge (default: all)")
    parser.add_argument("--targets", type=Path, default=HERE, help="folder of the target files")
    parser.add_argument("--scratch", type=Path, default=ROOT / ".servers", help="where servers and runs lie")
    parser.add_argument("--out", type=Path, default=ROOT / "reports", help="folder of matrix.md and matrix.html")
    options = parser.parse_args(arguments)
    recipes = {file.stem: recipe(file) for file in sorted(options.targets.glob("*.toml"))}
    known = [BUILT_IN, *(name for name, one in recipes.items() if one)]
    if unknown := [name for name in options.names if name not in known]:
        print(f"{', '.join(unknown)} is not known; known: {', '.join(known)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)
    revision = _revision()
    runs: list[Path] = []
    notes: list[str] = []
    with _upstream() as upstream:
        for name in [one for one in known if not options.names or one in options.names]:
            print(f"{name} ...", flush=True)
            try:
                runs.append(_judged(name, recipes.get(name), options.scratch.absolute(), upstream))
            except Unusable as error:
                notes.append(f"{name} was not judged: {error}")
                print(f"  {error}", flush=True)
    return _write(runs, [f"{_MADE} {revision}. {_READ}", *notes], options.out) or bool(notes)


def _stop(*_: Any) -> NoReturn:
    raise SystemExit(128 + signal.SIGTERM)


@contextmanager
def _upstream() -> Iterator[str]:
    with Upstream() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.url
        finally:
            server.shutdown()


def _judged(name: str, one: Recipe | None, scratch: Path, upstream: str) -> Path:
    """The run folder of one target, judged anew."""
    run = scratch / "runs" / name
    if one is None:
        return _judge([], run)
    folder = scratch / name
    install(one, folder)
    with running(one, folder, upstream, CLIENT_KEY) as endpoint:
        file = folder / "target.toml"
        file.write_text(_target(one, endpoint), encoding="utf-8")
        return _judge(["--target", str(file)], run)


def _target(one: Recipe, endpoint: str) -> str:
    """The target file of a server that runs: its name says the version, its endpoint the port."""
    lacks = ", ".join(f'"{name}"' for name in one.profile.get("lacks", []))
    return (
        f'name = "{one.name} {one.version}"\nendpoint = "{endpoint}"\nmodel = "{one.model}"\n\n'
        f"[profile]\nlacks = [{lacks}]\n"
    )


def _judge(options: list[str], run: Path) -> Path:
    results = run / "results.jsonl"
    results.unlink(missing_ok=True)
    words = [sys.executable, "-m", "conformance", "run", *options, "--run-dir", str(run), "--overwrite", "-q"]
    environ = {**os.environ, "MIMO_API_KEY": CLIENT_KEY}
    run.parent.mkdir(parents=True, exist_ok=True)
    with (run.parent / f"{run.name}.out").open("wb") as out:
        try:
            code = subprocess.run(words, stdout=out, stderr=out, env=environ, timeout=_JUDGED).returncode
        except subprocess.TimeoutExpired:
            raise Unusable(f"not judged after {_JUDGED:g} s") from None
    if not results.is_file():
        raise Unusable(f"the run ended with {code} and no results: see {out.name}")
    return run


def _write(runs: Sequence[Path], notes: Sequence[str], out: Path) -> int:
    if not runs:
        print("nothing was judged, nothing is written", file=sys.stderr)
        return 1
    words = [sys.executable, "-m", "conformance", "matrix", *map(str, runs)]
    words += [word for note in notes for word in ("--note", note)]
    words += ["--markdown", str(out / "matrix.md"), "--html", str(out / "matrix.html")]
    out.mkdir(parents=True, exist_ok=True)
    return subprocess.run(words).returncode


def _revision() -> str:
    """The commit, and whether the work tree differs from it in more than the table itself."""
    words = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*words, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    if commit.returncode:
        return "an unknown commit"
    changed = subprocess.run([*words, "status", "--porcelain", "--", ".", ":!reports"], capture_output=True, text=True)
    return f"commit {commit.stdout.strip()}{' with changes' if changed.stdout.strip() else ''}"


if __name__ == "__main__":
    sys.exit(main())
