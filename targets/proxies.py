"""``python -m targets.proxies [NAME ...]``: install and start the translators among the third-party servers in turn,
check both sides of each with ``conformance proxy``, and write ``reports/proxies.md`` and ``reports/proxies.html``.

A translator is a target file with a table ``[proxy]``: the profile of ``conformance proxy``, with the dialect of its
upstream; those in ``targets/responses`` send Responses requests, for which the upstream of ``python -m targets`` has no
endpoint. One that does not install or start is listed in the notes of the table. Exit code 0 if each was checked, 1 if
one was not, 2 for an unknown name.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from targets.__main__ import CLIENT_KEY, HERE, ROOT, revision
from targets.servers import Recipe, Unusable, filled, install, plain_environment, recipe

#: Timeout of the run for one proxy, in seconds.
_TIMEOUT = 600.0

_START = "start.sh"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the proxies and write the table."""
    parser = argparse.ArgumentParser(prog="python -m targets.proxies", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of the target files (default: all)")
    parser.add_argument("--scratch", type=Path, default=ROOT / ".servers", help="directory of servers and runs")
    parser.add_argument("--out", type=Path, default=ROOT / "reports", help="directory of proxies.md and proxies.html")
    options = parser.parse_args(arguments)
    found = [*sorted(HERE.glob("*.toml")), *sorted((HERE / "responses").glob("*.toml"))]
    files = {file.stem: file for file in found if "proxy" in tomllib.loads(file.read_text())}
    if unknown := [name for name in options.names if name not in files]:
        print(f"unknown proxy {', '.join(unknown)}; expected one of {', '.join(files)}", file=sys.stderr)
        return 2
    runs: list[Path] = []
    notes: list[str] = []
    for name in [one for one in files if not options.names or one in options.names]:
        print(f"{name} ...", flush=True)
        try:
            runs.append(_checked(files[name], options.scratch.absolute()))
        except Unusable as error:
            notes.append(f"{name} was not checked: {error}")
            print(f"  {error}", flush=True)
    return _write(runs, notes, options.out) or bool(notes)


def _checked(file: Path, scratch: Path) -> Path:
    """Check one proxy; returns its run folder."""
    one = recipe(file)
    if one is None:
        raise Unusable("its target file has no [server]")
    folder, run = scratch / file.stem, scratch / "proxies" / file.stem
    install(one, folder)
    port = _free_port()
    (folder / _START).write_text(_script(one, folder, port), encoding="utf-8")
    words = [sys.executable, "-m", "conformance", "proxy", "--endpoint", f"http://127.0.0.1:{port}{one.path}"]
    profile = folder / "profile.toml"
    profile.write_text(_profile(file, one), encoding="utf-8")
    words += ["--profile", str(profile), "--model", one.model, "--run-dir", str(run), "--overwrite"]
    words += ["--start", f"exec sh {shlex.quote(str(folder / _START))} {{upstream}} {{key}}"]
    results = run / "results.jsonl"
    results.unlink(missing_ok=True)
    run.parent.mkdir(parents=True, exist_ok=True)
    with (run.parent / f"{run.name}.out").open("wb") as out:
        try:
            environ = {**os.environ, "MIMO_API_KEY": CLIENT_KEY}
            code = subprocess.run(words, stdout=out, stderr=out, env=environ, timeout=_TIMEOUT, cwd=ROOT).returncode
        except subprocess.TimeoutExpired:
            raise Unusable(f"the run did not end after {_TIMEOUT:g} s") from None
    if not results.is_file():
        raise Unusable(f"the run ended with {code} and no results: see {os.path.relpath(out.name, ROOT)}")
    return run


def _profile(file: Path, one: Recipe) -> str:
    """The profile in a target file, with the version of the server in its name."""
    table = tomllib.loads(file.read_text(encoding="utf-8"))["proxy"]
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    return "\n".join([f'name = "{one.name} {one.version}"', "", "[proxy]", *lines, ""])


def _script(one: Recipe, folder: Path, port: int) -> str:
    """The shell script that starts a server with the base URL of the upstream and its key as arguments."""
    values = {"port": str(port), "key": CLIENT_KEY, "model": one.model, "folder": str(folder.absolute())}
    shell = {**values, "upstream": "$UPSTREAM", "upstream_key": "$KEY"}
    path = os.pathsep.join([str(folder.absolute() / "venv" / "bin"), os.environ.get("PATH", "")])
    environ = {**plain_environment(os.environ), "PATH": path, "HOME": str(folder.absolute())}
    kept = {name: environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in environ}
    lines = ['UPSTREAM="${1%/v1}"', 'KEY="$2"', f"cd {shlex.quote(str(folder.absolute()))}"]
    for name, text in one.files.items():
        lines += [f"cat > {shlex.quote(name)} <<END_OF_FILE", filled(text, shell).rstrip(), "END_OF_FILE"]
    assigned = [f"{name}={shlex.quote(value)}" for name, value in kept.items()]
    assigned += [f'{name}="{filled(value, shell)}"' for name, value in one.environ.items()]
    words = [f'"{filled(word, shell)}"' for word in one.start]
    program = shutil.which(filled(one.start[0], values), path=path)
    words[0] = shlex.quote(program) if program else words[0]
    return "\n".join([*lines, f"exec env -i {' '.join(assigned)} {' '.join(words)}", ""])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _write(runs: Sequence[Path], notes: Sequence[str], out: Path) -> int:
    if not runs:
        print("no proxy was checked, no table is written", file=sys.stderr)
        return 1
    made = (
        f"Generated by python -m targets.proxies, with the suite at {revision()}. docs/proxies.md explains the rules."
    )
    words = [sys.executable, "-m", "conformance", "matrix", *map(str, runs)]
    words += [word for note in [made, *notes] for word in ("--note", note)]
    words += ["--markdown", str(out / "proxies.md"), "--html", str(out / "proxies.html")]
    out.mkdir(parents=True, exist_ok=True)
    return subprocess.run(words).returncode


if __name__ == "__main__":
    sys.exit(main())
