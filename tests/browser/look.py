"""Open reports in a real browser, check what only a browser knows, take screenshots.

    python tests/browser/look.py FOLDER

Chromium is asked over its DevTools protocol. Nothing is installed for that.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

from report_samples import SAMPLES

from healthyroster_async._report.report import PoolReport

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTHS, SCHEMES = (1280, 780, 400), ("light", "dark")
MOST_PIXELS = 2600
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip

# Contrast as WCAG 2 counts it, of every text with the colour that lies behind it.
LOOK = """(() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255;
    return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 });
    return .2126 * r + .7152 * g + .0722 * b };
  const behind = e => { const layers = [];
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      const a = c.length > 3 ? c[3] : 1;
      if (a) layers.push([c, a]);
      if (a === 1) break; }
    return layers.reduceRight((under, [c, a]) =>
      [0, 1, 2].map(i => c[i] * a + under[i] * (1 - a)), [255, 255, 255]) };
  const poor = [], walk = document.createTreeWalker(document.body, 4);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, s = getComputedStyle(e);
    if (!walk.currentNode.data.trim() || !e.getClientRects().length) continue;
    const a = light(parse(s.color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    const large = parseFloat(s.fontSize) >= 24 ||
      parseFloat(s.fontSize) >= 18.66 && +s.fontWeight >= 700;
    if (ratio < (large ? 3 : 4.5) || +s.opacity < 1)
      poor.push(`${walk.currentNode.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  const root = document.documentElement, wide = [...document.querySelectorAll('*')]
    .filter(e => !e.closest('.hr-scroll') && !e.closest('.hr-hits') &&
      e.getBoundingClientRect().right > root.clientWidth + 1).map(e => e.className);
  const cut = [...document.querySelectorAll('.hr-scroll:not(.hr-matrix)')].filter(
    e => !e.closest('details') && e.scrollWidth > e.clientWidth).map(e => e.innerText);
  return { overflow: root.scrollWidth - root.clientWidth, height: root.scrollHeight,
    poor: [...new Set(poor)], wide, cut, scripts: document.scripts.length,
    page: getComputedStyle(document.querySelector('.hr-report')).backgroundColor };
})()"""
UNFOLD = "document.querySelectorAll('details').forEach(d => d.open = true)"
POINTED = """(() => { const e = document.querySelector('.hr-hits i:hover');
  return e ? getComputedStyle(e, '::after').content : '' })()"""
PLACE = """(() => { const e = document.querySelector('.hr-hits');
  if (!e) return null;
  e.scrollIntoView({ block: 'center' });
  const r = e.getBoundingClientRect();
  return [r.left + r.width / 3, r.top + r.height / 2] })()"""


class Browser:
    """One tab, and what it complained about or asked the network for."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints = []
        self.requests = set()

    async def call(self, method, **parameters):
        number = next(self._numbers)
        await self._socket.send_json(
            {"id": number, "method": method, "params": parameters}
        )
        while True:
            answer = json.loads((await self._socket.receive()).data)
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def _note(self, event):
        name, told = event.get("method"), event.get("params", {})
        if name in {"Log.entryAdded", "Runtime.consoleAPICalled"}:
            self.complaints.append(told.get("entry", told))
        elif name == "Runtime.exceptionThrown":
            self.complaints.append(told)
        elif name == "Network.requestWillBeSent":
            self.requests.add(told["request"]["url"].partition(":")[0])

    async def ask(self, expression):
        found = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True
        )
        return found["result"].get("value")

    async def open(self, path, width, scheme):
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=features)
        await self.call("Page.navigate", url=path.as_uri())
        for _ in range(400):
            if await self.ask("document.readyState") == "complete":
                return
            await asyncio.sleep(0.05)
        raise TimeoutError

    async def picture(self, width, height):
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = await self.call(
            "Page.captureScreenshot", captureBeyondViewport=True, clip=clip
        )
        return base64.b64decode(found["data"])


@asynccontextmanager
async def started(program):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            program, *FLAGS, f"--user-data-dir={folder}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                line = b""
                while b"DevTools listening on" not in line:
                    line = await process.stderr.readline()
                    assert line, "the browser ended at once"
            place = line.decode().split()[-1].split("/")[2]
            async with aiohttp.ClientSession() as client:
                async with client.get(f"http://{place}/json/list") as answer:
                    tabs = await answer.json()
                tab = next(tab for tab in tabs if tab["type"] == "page")
                url = tab["webSocketDebuggerUrl"]
                async with client.ws_connect(url, max_msg_size=0) as socket:
                    browser = Browser(socket)
                    for domain in ("Log", "Runtime", "Network", "Page"):
                        await browser.call(f"{domain}.enable")
                    yield browser
        finally:
            process.terminate()
            await process.wait()


async def look(browser, path, width, scheme, folder):
    """Return what is wrong with a page."""
    await browser.open(path, width, scheme)
    await browser.ask(
        "document.querySelectorAll('details').forEach(d => d.open = true)"
    )
    found = await browser.ask(LOOK)
    wrong = [f"too little contrast, {text}" for text in found["poor"]]
    if found["overflow"] or found["wide"]:
        wrong.append(f"wider than the page: {found['overflow']} {found['wide'][:5]}")
    wrong += [f"a table is cut off: {text[:60]!r}" for text in found["cut"]]
    if found["scripts"]:
        wrong.append("it has scripts")
    dark = sum(map(int, found["page"][4:-1].split(","))) < 3 * 128
    if dark is not (scheme == "dark"):
        wrong.append(f"its colours are not {scheme}")
    place = await browser.ask(PLACE)
    if place is not None:
        x, y = place
        await browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        if "call" not in await browser.ask(POINTED):
            wrong.append("pointing at the timeline tells nothing")
        await browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=1, y=1)
    await browser.open(path, width, scheme)
    height = min((await browser.ask(LOOK))["height"], MOST_PIXELS)
    picture = folder / f"{path.stem}-{width}-{scheme}.png"
    picture.write_bytes(await browser.picture(width, height))
    return wrong


async def main(folder):
    program = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if program is None:
        print(f"This needs one of {', '.join(NAMES)}, or its path in CHROMIUM.")
        return True
    wrong = []
    async with started(program) as browser:
        for name, sample in SAMPLES.items():
            path = folder / f"{name}.html"
            PoolReport(sample()).save(path)
            for width, scheme in itertools.product(WIDTHS, SCHEMES):
                found = await look(browser, path, width, scheme, folder)
                wrong += [f"{name}, {width}, {scheme}: {text}" for text in found]
        version = (await browser.call("Browser.getVersion"))["product"]
        wrong += [f"it complained: {told}" for told in browser.complaints]
        if browser.requests - {"file", "data"}:
            wrong.append(f"something was loaded: {browser.requests}")
    looks = len(SAMPLES) * len(WIDTHS) * len(SCHEMES)
    print(*wrong, sep="\n")
    pages = f"{len(SAMPLES)} pages in {version}"
    print(f"{looks} looks at {pages}: {len(wrong)} complaints. See {folder}")
    return bool(wrong)


if __name__ == "__main__":
    where = Path(sys.argv[1]).resolve()
    where.mkdir(parents=True, exist_ok=True)
    sys.exit(asyncio.run(main(where)))
