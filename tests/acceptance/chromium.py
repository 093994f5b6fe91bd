"""A headless Chromium that tests drive by its DevTools protocol."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")


class Chromium:
    """One page of a browser with a profile of its own; within ``with`` it runs."""

    def __init__(self, folder: Path, width: int = 1400, height: int = 1000) -> None:
        self.folder, self.size, self.console = folder, (width, height), []
        self._numbers = itertools.count(1)

    def __enter__(self) -> Chromium:
        from websockets.sync.client import connect

        assert PROGRAM is not None
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
        options += [f"--user-data-dir={self.folder}", "--remote-debugging-port=0", "--hide-scrollbars"]
        size = f"--window-size={self.size[0]},{self.size[1]}"
        self._log = open(self.folder / "log", "w+")
        self._process = subprocess.Popen([PROGRAM, *options, size, "about:blank"], stderr=self._log, stdout=self._log)
        deadline = time.monotonic() + 300
        while not (address := re.search(r"DevTools listening on (ws://\S+)", (self.folder / "log").read_text())):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)
        self._socket = connect(address[1], max_size=None)
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        width, height = self.size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(20)
        self._log.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; errors and the console's messages meanwhile are noted."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if getattr(self, "_session", "") else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters} | session))
        while True:
            answer = json.loads(self._socket.recv(timeout=300))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.console.append(json.dumps(answer["params"])[:2000])

    def open(self, address: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """Evaluate JavaScript, a promise until it is kept."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = 300) -> Any:
        """Wait until JavaScript gives something true."""
        deadline = time.monotonic() + seconds
        while not (value := self.value(condition)):
            assert time.monotonic() < deadline, "\n".join([condition, *self.console])
            time.sleep(0.2)
        return value

    def picture(self, path: Path | None = None, clip: dict[str, float] | None = None) -> np.ndarray:
        """Take a picture of the page, or of a rectangle of it: uint8 ``(height, width, 3)``."""
        from matplotlib.image import imread

        part = {"clip": clip | {"scale": 1}} if clip else {}
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png", **part)["data"])
        if path is not None:
            path.write_bytes(data)
        return (imread(io.BytesIO(data), format="png")[..., :3] * 255).round().astype(np.uint8)
