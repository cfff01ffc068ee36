"""What each real client does with legal variants: ``client_variants.json``, made by ``tools.client_variants``.

By variant, and by client with mode and version, how the client ended otherwise than without the variant; an empty
string if it did not.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")


@cache
def outcomes() -> dict[str, dict[str, str]]:
    """The content of the file; empty if there is none."""
    content: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return content
