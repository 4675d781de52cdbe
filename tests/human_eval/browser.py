"""A headless Chromium driven by the WebDriver protocol, for tests only."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

DRIVER, CHROMIUM = shutil.which("chromedriver"), shutil.which("chromium")
AXE = Path(__file__).resolve().parents[2] / ".venv" / "axe" / "axe_playwright_python" / "axe.min.js"
PHONE = {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2, "touch": True}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Browser:
    def __init__(self, phone=False, patience=120):
        port = free_port()
        self.process = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL)
        self.root = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,900"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        options = {"binary": CHROMIUM, "args": arguments} | ({"mobileEmulation": PHONE} if phone else {})
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        deadline = time.monotonic() + patience
        while True:
            try:
                self.root += "/" + self._call("", wanted)["sessionId"]
                break
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > deadline:
                    self.process.kill()
                    raise
                time.sleep(0.1)
        if not phone:
            size = {"width": 1366, "height": 768, "deviceScaleFactor": 1, "mobile": False}
            self.command("Emulation.setDeviceMetricsOverride", size)

    def command(self, name, parameters):
        """A command of Chromium's own protocol."""
        return self._call("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def _call(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.root + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return json.loads(reply.read())["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {json.loads(error.read())['value']['message'][:500]}") from error

    def open(self, url):
        self._call("/url", {"url": url})

    def run(self, script, *arguments):
        return self._call("/execute/sync", {"script": script, "args": list(arguments)})

    def violations(self):
        """What axe-core finds against WCAG 2.1 A and AA on the page as it is now: rule and elements."""
        self.run(AXE.read_text(encoding="utf-8"))
        script = (
            "const done = arguments[0]; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
            ".then((r) => done(r.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])),"
            " (e) => done(['axe failed', String(e)]));"
        )
        return self._call("/execute/async", {"script": script, "args": []})

    def click(self, selector):
        found = self._call("/element", {"using": "css selector", "value": selector})
        self._call(f"/element/{next(iter(found.values()))}/click", {})

    def keys(self, *names):
        steps = [{"type": kind, "value": name} for name in names for kind in ("keyDown", "keyUp")]
        self._call("/actions", {"actions": [{"type": "key", "id": "keys", "actions": steps}]})

    def wait(self, script, seconds=30):
        deadline = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < deadline, script
            time.sleep(0.05)
        return found

    def screenshot(self, path: Path):
        path.write_bytes(base64.b64decode(self._call("/screenshot")))

    def close(self):
        try:
            self._call("", method="DELETE")
        finally:
            self.process.terminate()
            self.process.wait()
