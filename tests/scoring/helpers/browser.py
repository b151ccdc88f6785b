"""Headless Chromium, driven by Debian's chromedriver in the W3C WebDriver protocol. Standard library only.

python3 -m tests.scoring.helpers.browser exp/bench/report/index.html docs/images/report.png [WIDTH [HEIGHT [dark]]]
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVERS, BROWSERS = ("chromedriver",), ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 30.0
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element's id, by the W3C's recommendation
ENTER, SPACE, TAB = "\ue007", " ", "\ue004"


def installed() -> tuple[str, str] | None:
    """Paths of chromedriver and of Chromium; None if one is absent."""
    driver, browser = (next(filter(None, map(shutil.which, names)), None) for names in (DRIVERS, BROWSERS))
    return (driver, browser) if driver and browser else None


def may_skip() -> bool:
    """Whether tests that need the browser are skipped: it is absent, and PIPELINE_NEED_BROWSER is not 1."""
    return installed() is None and os.environ.get("PIPELINE_NEED_BROWSER") != "1"


class Browser:
    """A session of the browser.

    Args:
        address: of the driver, as `http://127.0.0.1:4444`.
        browser: path of the browser.
        profile: an empty folder for its files.
    """

    def __init__(self, address: str, browser: str, profile: Path) -> None:
        self._address = address
        arguments = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", "--force-device-scale-factor=1", f"--user-data-dir={profile}"),
        ]
        wanted = {
            "goog:chromeOptions": {"binary": browser, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer['sessionId']}"

    def _ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._address + path, body, kind, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the driver is on this machine
        try:
            with opener.open(request, timeout=120) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:2000]}") from error

    def _post(self, path: str, content: dict[str, Any] | None = None) -> Any:
        return self._ask("POST", self._session + path, content or {})

    def open(self, page: Path) -> None:
        """Load a file and wait until it is complete."""
        self._post("/url", {"url": page.resolve().as_uri()})

    def run(self, script: str, *arguments: object) -> Any:
        """Run JavaScript in the page; returns what it returns."""
        return self._post("/execute/sync", {"script": script, "args": arguments})

    def devtools(self, command: str, **parameters: object) -> Any:
        """A command of Chromium's own protocol."""
        return self._post("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def set_size(self, width: int, height: int = 900, scale: float = 1.0) -> None:
        """Show the page in a window of this size in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", **size)

    def set_dark(self, dark: bool) -> None:
        """Set the colours that the user prefers; nothing moves slowly, so that a click finds what it is for."""
        wanted = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.devtools("Emulation.setEmulatedMedia", features=features)

    def element(self, selector: str) -> str:
        """The id of the first element that a CSS selector finds."""
        return str(self._post("/element", {"using": "css selector", "value": selector})[ELEMENT])

    def click(self, selector: str) -> None:
        """Click as a user does; fails if the element is hidden or covered."""
        self._post(f"/element/{self.element(selector)}/click")

    def press(self, selector: str, keys: str) -> None:
        """Type keys at an element, which gets the focus."""
        self._post(f"/element/{self.element(selector)}/value", {"text": keys})

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    def console_errors(self) -> list[str]:
        """Messages of errors and warnings in the page's console since the last call."""
        entries = self._post("/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def requested(self) -> list[str]:
        """URLs that the page has asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self._post("/se/log", {"type": "performance"})]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        # The browser's own start page is of the schemes chrome: and chrome-untrusted:, and is not ours.
        return [str(each["request"]["url"]) for each in sent if not each["documentURL"].startswith("chrome")]

    def close(self) -> None:
        """End the browser."""
        self._ask("DELETE", self._session)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A browser for the time of the block; it and its driver are ended with it, and no other process."""
    found = installed()
    if found is None:
        raise RuntimeError("chromium and chromium-driver are not installed")
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "driver.log")
        with log.open("wb") as stream:
            driver = subprocess.Popen([found[0], "--port=0"], stdout=stream, stderr=stream)
        try:
            browser = Browser(f"http://127.0.0.1:{_port(log, driver)}", found[1], Path(folder, "profile"))
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.send_signal(signal.SIGTERM)
            driver.wait(timeout=30)


def _port(log: Path, driver: subprocess.Popen[bytes]) -> int:
    """The port that the driver has chosen, as it prints it."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and driver.poll() is None:
        for line in log.read_text().splitlines():
            words = line.rstrip(".").split(" on port ")
            if "started successfully" in line and len(words) == 2:
                return int(words[1])
        time.sleep(0.05)
    raise RuntimeError(f"chromedriver did not start: {log.read_text()}")


def main(page: str, picture: str, width: str = "1400", height: str = "1000", colors: str = "light") -> None:
    """Save a picture of the beginning of a page."""
    with open_browser() as browser:
        browser.set_size(int(width), int(height))
        browser.set_dark(colors == "dark")
        browser.open(Path(page))
        browser.screenshot(Path(picture))


if __name__ == "__main__":
    main(*sys.argv[1:])
