"""Codex in both modes: its configuration as MiMo documents it, and the command that runs one conversation.

The lite mode ("Responses Lite": tools in an additional_tools item, custom tools, a private header) is a property of the
model in the catalogue of models, of which the driver of the client lane makes the entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from conformance.clients.drivers.codex import lite_model

MODEL = "mimo-v2.6-pro"

#: The first letters of the headers that belong to a mode.
MODE_HEADERS = "x-openai-internal-"

CONFIGURATION = """
model = "{model}"
model_provider = "target"
approval_policy = "{approval}"
approvals_reviewer = "{reviewer}"
sandbox_mode = "read-only"
model_reasoning_effort = "high"
model_reasoning_summary = "none"
web_search = "disabled"
check_for_update_on_startup = false
history = {{ persistence = "none" }}
analytics = {{ enabled = false }}
feedback = {{ enabled = false }}
otel = {{ exporter = "none" }}
features = {{ apps = false, plugins = false, remote_plugin = false, shell_snapshot = false }}
[model_providers.target]
name = "target"
base_url = "{url}"
wire_api = "responses"
env_key = "MIMO_API_KEY"
request_max_retries = 0
stream_max_retries = 0
"""


def binary(install: Path) -> Path:
    """The executable of the installed Codex. Raises RuntimeError without one."""
    found = next(iter(install.glob("node_modules/@openai/codex-*/vendor/*/bin/codex")), None)
    if found is None:
        raise RuntimeError("@openai/codex is not installed")
    return found


def version(install: Path) -> str:
    """The version of the installed Codex."""
    package = install / "node_modules" / "@openai" / "codex" / "package.json"
    return str(json.loads(package.read_text(encoding="utf-8"))["version"])


def command(
    install: Path, url: str, home: Path, work: Path, question: str, environment: Mapping[str, str], mode: str
) -> list[str]:
    """The command of a conversation. ``mode``: empty, ``lite``, or ``approval`` (lite, and commands that need an
    approval are reviewed by the model). Writes the configuration into ``home``."""
    program, folder = binary(install), home / ".codex"
    folder.mkdir()
    text = CONFIGURATION.format(
        model=MODEL,
        url=url,
        approval="on-request" if mode == "approval" else "never",
        reviewer="auto_review" if mode == "approval" else "user",
    )
    if mode:
        catalogue = folder / "models.json"
        catalogue.write_text(json.dumps({"models": [lite_model(program, MODEL, dict(environment))]}), encoding="utf-8")
        text = f"model_catalog_json = {json.dumps(str(catalogue))}\n{text}"
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return [str(program), "exec", "--json", "--skip-git-repo-check", "-C", str(work), "--", question]
