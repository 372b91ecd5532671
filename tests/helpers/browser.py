"""A Chromium for tests, and what they check of every page."""

import os
import shutil
import time
from contextlib import contextmanager

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium_path():
    """Path of an installed Chromium: that of CLOOME_CHROMIUM, or the first on PATH. None: there is none."""
    return os.environ.get("CLOOME_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def chromium():
    """Start a Chromium without a window. The test is skipped if there is none, or no playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if (path := chromium_path()) is None:
        pytest.skip("no Chromium is installed: put one on PATH, or name it in CLOOME_CHROMIUM")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Watch:
    """Records errors of a page, and requests to other origins.

    Parameters
    ----------
    page
        The page.
    origin
        Beginning of the addresses that the page may use.
    """

    def __init__(self, page, origin):
        self.problems, self.foreign = [], []
        page.on("console", lambda message: message.type == "error" and self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self._see(request.url, origin))

    def _see(self, url, origin):
        if not url.startswith((origin, "data:", "blob:", "about:", "javascript:")):
            self.foreign.append(url)


def scrolls_sideways(page):
    """Whether the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth > window.innerWidth")


def wait_until(page, expression, argument=None, seconds=60):
    """Wait until JavaScript gives a true value.

    A page whose policy forbids ``eval`` also forbids `wait_for_function` of Playwright.
    """
    end = time.monotonic() + seconds
    while not (found := page.evaluate(expression, argument)):
        assert time.monotonic() < end, f"after {seconds} s it is not true that {expression}"
        page.wait_for_timeout(50)
    return found
