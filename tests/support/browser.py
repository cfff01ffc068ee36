"""A real browser without a window: Debian's chromium, driven over the WebDriver protocol by the standard library."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Why there is none; empty if there is one.
MISSING = "" if shutil.which("chromium") and shutil.which("chromedriver") else "no chromium and chromedriver on PATH"

_FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--no-first-run", "--hide-scrollbars", "--window-size=1200,900",
]  # fmt: skip


class Browser:
    """One window. What the page logs and what it asks the network for is kept."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        options = {"args": _FLAGS, "binary": shutil.which("chromium")}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        made = self._planned("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a file and wait until it is there."""
        self.logged()
        self._planned("POST", f"{self._session}/url", {"url": "about:blank"})
        self._planned("POST", f"{self._session}/url", {"url": page.absolute().as_uri() + fragment})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns."""
        return self._planned("POST", f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    def keys(self, text: str) -> None:
        """Press keys, one after another, where the focus is."""
        steps = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        actions = {"actions": [{"type": "key", "id": "keys", "actions": steps}]}
        self._planned("POST", f"{self._session}/actions", actions)

    def logged(self) -> list[str]:
        """What the console said since the last look."""
        found = self._planned("POST", f"{self._session}/se/log", {"type": "browser"})
        return [f"{one['level']}: {one['message']}" for one in found]

    def fetched(self) -> list[str]:
        """The addresses that were asked for since the last look."""
        found = self._planned("POST", f"{self._session}/se/log", {"type": "performance"})
        said = [json.loads(one["message"])["message"] for one in found]
        return [one["params"]["request"]["url"] for one in said if one["method"] == "Network.requestWillBeSent"]

    def look(self, width: int, dark: bool = False, height: int = 900) -> None:
        """The size of the window, and whether its owner likes it dark."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce"}
        self._devtools("Emulation.setEmulatedMedia", {"features": [scheme, motion]})

    def picture(self) -> bytes:
        """What is seen, as PNG."""
        return base64.b64decode(self._devtools("Page.captureScreenshot", {"format": "png"})["data"])

    def evaluated(self, script: str) -> Any:
        """The value of a script that the policy of the page would not let run; a promise is awaited."""
        words = {"expression": script, "awaitPromise": True, "returnByValue": True}
        return self._devtools("Runtime.evaluate", words)["result"].get("value")

    def close(self) -> None:
        """Close the window."""
        self._planned("DELETE", self._session)

    def _devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._planned("POST", f"{self._session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _planned(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if method == "POST" else None
        request = urllib.request.Request(self._driver + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as received:
                return json.load(received)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None


@contextmanager
def browser() -> Iterator[Browser]:
    """A window, and the driver that runs it; both end with the block."""
    command = ["chromedriver", "--port=0"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert driver.stdout is not None
        port = next(
            (found[1] for line in driver.stdout if (found := re.search(r"successfully on port (\d+)", line))), ""
        )
        assert port, "chromedriver did not start"
        one = Browser(f"http://127.0.0.1:{port}")
        try:
            yield one
        finally:
            one.close()
    finally:
        driver.terminate()
        driver.wait(10)
