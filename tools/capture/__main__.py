"""``python -m tools.capture --install DIR``: capture, scrub and write the requests of the pinned clients."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.emulator import Context, Endpoint, Reply, serve
from conformance.emulator.hooks import variant
from conformance.emulator.shapes import Item, Refusal
from tools.capture import codex, opencode
from tools.capture.prose import Ours, client_texts, reworded
from tools.capture.scrub import Leak, must_not_hold, scrubbed
from tools.capture.shingles import SIZE, digest, left, shingles, store

PROGRAMS = Path(__file__).parent / "programs"
CAPTURED = Path(__file__).parent.parent.parent / "conformance" / "scenarios" / "captured"
KEY = "built-in-key"
MODEL = "mimo-v2.6-pro"
QUESTION = "Use get_weather to find out the weather in Paris."
QUESTION_TO_CODEX = "Use exec_command to say hello."
QUESTION_TO_OPENCODE = "Use bash to say hello."
QUESTION_TO_LITE = "Use exec_command to say hello, then use apply_patch to write it down."
COMMAND = "echo hello"
PATCH = "*** Begin Patch\n*** Add File: hello.txt\n+hello\n*** End Patch\n"
SECONDS = 120

#: User names that are ordinary words, which cannot be searched for.
_COMMON = ("/root", "localhost")

#: Nothing but loopback is reached: there is no such proxy.
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Kept:
    """One request of a client's conversation that becomes a scenario: its place in it, its name, what it is."""

    place: int
    name: str
    description: str


@dataclass(frozen=True)
class Client:
    """A client, the program that runs the conversation (none for Codex, which is one), and the selected requests.

    ``mode`` is a mode of Codex (:func:`tools.capture.codex.command`), ``revision`` the first revision of the contract
    in which the requests are sent; both empty for others.
    """

    name: str
    package: str
    program: str
    kept: tuple[Kept, ...]
    mode: str = ""
    revision: str = ""

    @property
    def short_name(self) -> str:
        """The name of the client in the catalogue, without its mode."""
        return self.name.removesuffix(f"-{self.mode}") if self.mode else self.name


def _second(name: str) -> tuple[Kept, ...]:
    return (Kept(1, name, "the turn after a tool's output"),)


CLIENTS = (
    Client("codex", "@openai/codex (npm)", "", (
        Kept(0, "codex.turn", "the first turn of codex exec"),
        Kept(1, "codex.follow-up", "the turn after a command's output"),
    )),
    Client("codex-lite", "@openai/codex (npm)", "", (
        Kept(0, "codex-lite.turn", "the first turn of codex exec, in lite mode"),
        Kept(1, "codex-lite.follow-up", "the turn after the outputs of a command and of a custom tool, in lite mode"),
    ), "lite", "2026-10"),
    Client("codex-approval", "@openai/codex (npm)", "", (
        Kept(1, "codex-approval", "the review of a command, with text.format json_schema, in lite mode"),
    ), "approval", "2026-10"),
    Client("opencode", "opencode-ai (npm)", "", (
        Kept(-1, "opencode", "the turn after a command's output"),
    ), revision="2026-10"),
    Client("openai-python", "openai (PyPI)", "openai_python.py", _second("openai-python")),
    Client("openai-node", "openai (npm)", "openai_node.mjs", _second("openai-node")),
    Client("ai-sdk", "ai and @ai-sdk/openai (npm)", "ai_sdk.mjs", _second("ai-sdk")),
    Client("agents", "openai-agents (PyPI)", "openai_agents.py", _second("openai-agents")),
    Client("langchain", "langchain-openai (PyPI)", "langchain_openai_chat.py", _second("langchain-openai")),
    Client("litellm", "litellm (PyPI)", "litellm_client.py", _second("litellm")),
)  # fmt: skip


class Recorder:
    """The built-in endpoint without validation, which records every request body.

    ``bodies`` are the requests for a Response, ``headers`` those of a mode that they have, ``generated`` the texts of
    the output items. ``escalates``: commands request more permissions than the sandbox grants.
    """

    def __init__(self, escalates: bool = False) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._escalates = escalates
        self.generated: list[str] = []
        lenient = variant("capture.lenient", "Refuses nothing.", validate=_nothing_wrong, draft=self._draft)
        self._endpoint = Endpoint(
            key=KEY, revision="2026-10", behaviour=lenient, seed="capture", clock=lambda: 1_767_225_600
        )

    def respond(self, method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
        """The endpoint's response; the body of a request for a Response is recorded."""
        if method == "POST" and path.partition("?")[0].endswith("/responses"):
            self.bodies.append(json.loads(body))
            named = {name.lower(): value for name, value in headers}
            self.headers.append({name: named[name] for name in named if name.startswith(codex.MODE_HEADERS)})
        return self._endpoint.respond(method, path, headers, body)

    def _draft(self, _: Context, items: list[Item]) -> list[Item]:
        """The drafted items, with what Codex runs replaced by a command and a patch without effect."""
        more = {"sandbox_permissions": "require_escalated"} if self._escalates else {}
        harmless = {
            "exec_command": (json.dumps({"cmd": COMMAND, **more}, separators=(",", ":")),),
            "apply_patch": (PATCH,),
            "bash": (json.dumps({"command": COMMAND, "description": "Print hello"}, separators=(",", ":")),),
        }
        items = [replace(one, texts=harmless.get(one.name, one.texts)) for one in items]
        self.generated += [text for one in items for text in one.texts]
        return items


def _nothing_wrong(_: Context, refusal: Refusal | None) -> Refusal | None:
    return None


def main() -> int:
    """Capture from each client that is chosen; 1 if one could not be."""
    parser = argparse.ArgumentParser(prog="python -m tools.capture", description=__doc__)
    parser.add_argument("--install", type=Path, required=True, metavar="DIR", help="the folder with the clients")
    parser.add_argument("--only", choices=[one.name for one in CLIENTS], action="append", help="capture these only")
    parser.add_argument("--to", type=Path, default=CAPTURED, metavar="DIR", help="where the files go")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    failed = 0
    for client in CLIENTS:
        if options.only and client.name not in options.only:
            continue
        try:
            documents, digests = capture(client, options.install.resolve())
            store(digests)
            for name, document in documents.items():
                text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
                (options.to / f"{name}.json").write_text(text, encoding="utf-8")
                print(f"{name}: {client.name} {document['version']}, {len(text):,} bytes")
        except (Leak, OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            print(f"{client.name}: {error}", file=sys.stderr)
            failed = 1
    return failed


def capture(client: Client, install: Path) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """The documents to write for a client, by name, and the digests of its replaced texts."""
    recorder = Recorder(escalates=client.mode == "approval")
    with tempfile.TemporaryDirectory(prefix="capture-") as folder, serve(recorder) as server:
        home, work = Path(folder) / "home", Path(folder) / "work"
        for place in (home, work):
            place.mkdir()
        version = _converse(client, install, server.url, home, work)
        port = server.url.split(":")[2].partition("/")[0]
        places = {str(work): "/workspace", str(home): "/home/user"}
        original = scrubbed(recorder.bodies, places)
        secrets = [KEY, folder, str(Path.home()), socket.gethostname(), getpass.getuser(), f":{port}"]
    ours = Ours(
        [QUESTION, QUESTION_TO_CODEX, QUESTION_TO_LITE, QUESTION_TO_OPENCODE, COMMAND, PATCH, *_programs()],
        recorder.generated,
    )
    bodies = reworded(original, ours)
    digests = {digest(one) for one in shingles(client_texts(original, ours))}
    if len(bodies) <= max(one.place for one in client.kept):
        raise RuntimeError(f"only {len(bodies)} requests received")
    found = {
        one.name: {
            "client": client.short_name,
            "package": client.package,
            "version": version,
            "asks": one.description + ("; its texts are replaced" if bodies != original else ""),
            **({"revision": client.revision} if client.revision else {}),
            **({"headers": recorder.headers[one.place]} if recorder.headers[one.place] else {}),
            "body": bodies[one.place],
        }
        for one in client.kept
    }
    must_not_hold(json.dumps(found), [one for one in secrets if one not in _COMMON])
    if still := left(json.dumps(found), digests):
        count = f"{len(still)} runs of {SIZE} words"
        raise Leak(f"the captured requests still contain the client's text, {count}: {still[0]!r}, ...")
    return found, digests


def _programs() -> list[str]:
    """The source of every program that runs a conversation, whose texts are this project's."""
    return [path.read_text(encoding="utf-8") for path in sorted(PROGRAMS.iterdir()) if path.is_file()]


def _converse(client: Client, install: Path, url: str, home: Path, work: Path) -> str:
    """Run the client's conversation; its version."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "CODEX_HOME": str(home / ".codex"),
        "MIMO_API_KEY": KEY,
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": url,
        "CAPTURE_MODEL": MODEL,
        "CAPTURE_QUESTION": QUESTION,
        "NO_PROXY": "127.0.0.1",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "DO_NOT_TRACK": "1",
        "LANGSMITH_TRACING": "false",
    }
    if client.short_name == "codex":
        question = QUESTION_TO_LITE if client.mode == "lite" else QUESTION_TO_CODEX
        words = codex.command(install, url, home, work, question, environment, client.mode)
    elif client.name == "opencode":
        words = opencode.command(install, url, work, QUESTION_TO_OPENCODE)
        environment |= opencode.ENVIRONMENT
    else:
        words = _program(client, install)
    ran = subprocess.run(
        words, env=environment, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
    )
    if ran.returncode:
        raise RuntimeError(f"it ended with {ran.returncode}: {(ran.stderr or ran.stdout).strip()[-600:]}")
    if client.short_name == "codex":
        return codex.version(install)
    if client.name == "opencode":
        return opencode.version(install)
    return str(json.loads(ran.stdout.splitlines()[-1])["version"])


def _program(client: Client, install: Path) -> list[str]:
    program = str(PROGRAMS / client.program)
    if program.endswith(".py"):
        return [str(install / "venv" / "bin" / "python"), program]
    if (node := shutil.which("node")) is None:
        raise RuntimeError("there is no Node here")
    return [node, program, str(install)]


if __name__ == "__main__":
    sys.exit(main())
