"""OpenCode, with the provider of OpenAI's Responses API: its configuration and the command of one conversation."""

from __future__ import annotations

import json
from pathlib import Path

MODEL = "mimo-v2.6-pro"

#: Nothing is fetched: no list of models, no newer version, no language servers and no plugins.
ENVIRONMENT = {
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
}


def version(install: Path) -> str:
    """The version of the installed OpenCode."""
    package = install / "node_modules" / "opencode-ai" / "package.json"
    return str(json.loads(package.read_text(encoding="utf-8"))["version"])


def command(install: Path, url: str, work: Path, question: str) -> list[str]:
    """The command of a conversation; writes the configuration into the working directory. Raises RuntimeError if
    OpenCode is not installed."""
    program = next(iter(install.glob("node_modules/opencode-*/bin/opencode")), None)
    if program is None:
        raise RuntimeError("opencode-ai is not installed")
    options = {"baseURL": url, "apiKey": "{env:MIMO_API_KEY}"}
    provider = {"npm": "@ai-sdk/openai", "name": "MiMo", "options": options, "models": {MODEL: {"name": MODEL}}}
    configuration = {
        "autoupdate": False,
        "share": "disabled",
        "model": f"mimo/{MODEL}",
        "small_model": f"mimo/{MODEL}",
        "provider": {"mimo": provider},
    }
    (work / "opencode.json").write_text(json.dumps(configuration), encoding="utf-8")
    return [str(program), "run", "--format", "json", question]
