"""Photograph the first screen of a report for the README: docs/report.png.

    python pipelines/build_corpus.py --out corpus      # the demo
    python docs/gallery/report.py corpus

Needs a Chromium. The part of the page without pictures is taken: those of the demo are not ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from pydantic import Field

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from vae_corpus import settings  # noqa: E402
from vae_corpus.settings import Settings  # noqa: E402

OUT = Path(__file__).parents[1] / "report.png"
_WIDTH_PX, _MARGIN_PX = 1240, 2


class ReportPictureSettings(Settings):
    """Which report to photograph."""

    corpus: Path = Field(description="folder of a corpus")
    chromium: str = Field("/usr/bin/chromium", description="program file of the browser")


def main() -> int:
    given = settings.load(ReportPictureSettings, description=__doc__ or "", positional=("corpus",))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": _WIDTH_PX, "height": 900})
        page.goto((given.corpus / "report" / "index.html").absolute().as_uri())
        page.wait_for_selector("#flow-chart svg")
        flow = page.locator("#flow-chart").bounding_box()
        assert flow is not None
        height = flow["y"] + flow["height"] + _MARGIN_PX
        clip = {"x": 0, "y": 0, "width": _WIDTH_PX, "height": height}
        page.screenshot(path=OUT, clip=clip, full_page=True)
        browser.close()
    print(f"{OUT}: {_WIDTH_PX} x {height:.0f} px, {OUT.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(settings.run(main))
