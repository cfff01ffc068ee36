"""Make the pictures of the README from a run: ``python docs/pictures/make.py`` (needs chromium and its driver)."""

from __future__ import annotations

import hashlib
import html
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT))

from conformance.emulator import Endpoint, serve  # noqa: E402  # The path is known only now.
from conformance.emulator.faults import FAULTS  # noqa: E402
from conformance.emulator.hooks import combine  # noqa: E402
from tests.support.browser import Browser, browser  # noqa: E402

HERE = Path(__file__).parent
KEY = "built-in-key"
TWIST = combine(FAULTS[name] for name in ("lifecycle.part-closed-twice", "sum.text-done-empty", "error.with-markup"))
CASE = "sum.text-deltas@text.stream"

_COLOURS = {"1": "font-weight:700", "31": "color:#ff8a80", "32": "color:#7fcf9b", "33": "color:#f0b455"}
_PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #1d2125; }
pre { margin: 0; padding: 20px 24px; color: #d9dce0; display: inline-block; white-space: pre;
  font: 14px/1.45 "DejaVu Sans Mono", "Liberation Mono", monospace; }
</style><pre>%s</pre>"""


#: The modules and files that decide what the pictures show, and the file with the digest of those they were made from.
SHOWN = (
    "conformance/report/terminal.py", "conformance/report/summary.py", "conformance/report/failure.py",
    "conformance/results/plain_words.py", "conformance/report/html/page.html", "conformance/report/html/style.css",
    "conformance/report/html/base.js", "conformance/report/html/page.js", "conformance/report/html/case.js",
    "conformance/report/html/timeline.js",
)  # fmt: skip
DIGEST = HERE / "made-from.sha256"


def digest() -> str:
    """The digest of what the pictures show; a picture is older than the program if it was made from another one."""
    return hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in SHOWN)).hexdigest()


def main() -> None:
    """Run the suite and take the pictures."""
    DIGEST.write_text(digest() + "\n", encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, browser() as window:
        run = Path(folder)
        with serve(Endpoint(key=KEY, behaviour=TWIST, seed="pictures", event_ms=12, first_byte_ms=180)) as server:
            said = evaluate(server.url, run, "--only", "*@text.stream")
            evaluate(server.url, run)
        terminal(window, said, run)
        report(window, run / "report.html")


def evaluate(url: str, run: Path, *more: str) -> str:
    """The terminal output of a run."""
    command = [
        sys.executable,
        "-m",
        "conformance",
        "run",
        url,
    ]
    environ = {**os.environ, "MIMO_API_KEY": KEY, "COLUMNS": "80", "PY_COLORS": "1"}
    done = subprocess.run(
        [*command, "--run-dir", str(run), "--overwrite", *more],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.stdout


def terminal(window: Browser, said: str, run: Path) -> None:
    """A failure and the last block, as they stand at a terminal of 80 columns."""
    plain = said.replace(str(run), "reports/runs/today")
    failures, _, rest = plain.partition(" by area ")
    first = failures[failures.index("= failures") :].split("\n\n")[0].partition("\n")[2]
    last = rest[rest.index("= fails") :].partition("\n")[2]
    shown = "$ conformance run http://127.0.0.1:8080/v1\n\n" + first + "\n\n" + last
    shown = usual_port(shown)
    # Long commands are left to their line in a terminal too; here it ends.
    lines = [line if len(plain_of(line)) <= 96 else cut(line, 95) + "…" for line in shown.splitlines()]
    page = run / "terminal.html"
    page.write_text(_PAGE % "\n".join(map(coloured, lines)), encoding="utf-8")
    window.look(900, height=600)
    window.open(page)
    width, height = window.run("const box = document.querySelector('pre').getBoundingClientRect();"
                               "return [Math.ceil(box.width), Math.ceil(box.height)]")  # fmt: skip
    window.look(width, height=height)
    (HERE / "terminal.png").write_bytes(window.picture())


def report(window: Browser, page: Path) -> None:
    """The head of the page, and a case with its stream."""
    page.write_text(usual_port(page.read_text(encoding="utf-8")), encoding="utf-8")
    window.look(1120, height=1110)
    window.open(page)
    (HERE / "report.png").write_bytes(window.picture())
    window.look(1120, height=900)
    window.open(page, f"#case={quote(CASE)}")
    window.run("return new Promise(done => setTimeout(done, 600))")
    window.run("document.activeElement.blur(); scrollBy(0, -8)")
    (HERE / "case.png").write_bytes(window.picture())


def usual_port(text: str) -> str:
    """The text with the port that everybody uses instead of the one that was free."""
    return re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:8080", text)


def plain_of(line: str) -> str:
    """A line without its colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", line)


def cut(line: str, width: int) -> str:
    """The beginning of a line, colours not counted."""
    return plain_of(line)[:width]


def coloured(line: str) -> str:
    """A line as HTML, in the colours that pytest gave it."""
    parts = re.split(r"\x1b\[([\d;]*)m", line)
    shown, finding_at = [html.escape(parts[0])], ""
    for codes, text in zip(parts[1::2], parts[2::2], strict=True):
        styles = [_COLOURS[code] for code in codes.split(";") if code in _COLOURS]
        finding_at = ";".join([finding_at, *styles]) if styles else ""
        shown.append(f'<span style="{finding_at}">{html.escape(text)}</span>' if finding_at else html.escape(text))
    return "".join(shown)


if __name__ == "__main__":
    main()
