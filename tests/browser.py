"""A real Chromium for the report's tests, and what is looked for in a page that it shows.

No page may ask the network for anything: what it asks for is refused and remembered.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sockstates.programs import find_program, missing_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Route

LOOK = (Path(__file__).parent / "browser_checks.js").read_text()
WIDTHS = (400, 900, 1600)
THEMES: tuple[Any, ...] = ("light", "dark")
PATIENCE = 240_000
"""Milliseconds after which Chromium hangs; on a busy machine it takes long for one thing."""


def missing_browser() -> str | None:
    """What is not there for these tests; None when all is."""
    if find_spec("playwright") is None:
        return "playwright is not installed; the extra [tests] has it"
    return missing_program("chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium without a window; its sandbox wants rights that root and containers do not give."""
    missing = missing_browser()
    if missing and os.environ.get("CI"):
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=find_program("chromium"), args=["--no-sandbox"], timeout=PATIENCE
        )
        yield launched
        launched.close()


class Shown:
    """A page as Chromium shows it."""

    def __init__(self, context: "BrowserContext") -> None:
        self.complaints: list[str] = []
        """Errors on its console, and what it asked the network for."""
        context.set_default_timeout(PATIENCE)
        context.route("**/*", self._only_files)
        self.page: Page = context.new_page()
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def _only_files(self, route: "Route") -> None:
        if route.request.url.startswith(("file:", "data:")):
            route.continue_()
        else:
            self.complaints.append(f"request: {route.request.url}")
            route.abort()

    def open(self, path: Path) -> "Page":
        """Go to the file and wait until it is loaded."""
        self.page.goto(path.as_uri())
        return self.page

    def problems(self, *, states: list[list[str]] | None = None) -> list[str]:
        """All that is wrong with it. `states`: host and state of each bar that must be there."""
        found: list[str] = self.page.evaluate(LOOK, states)
        return self.complaints + found

    def problems_everywhere(self, *, states: list[list[str]] | None = None) -> list[str]:
        """The same at each width in each theme, with where it was so."""
        found = []
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            for theme in THEMES:
                self.page.emulate_media(color_scheme=theme)
                found += [f"{width} {theme}: {each}" for each in self.problems(states=states)]
        return found


@contextmanager
def shown(
    browser: "Browser", *, width: int = 1280, theme: Any = "light", script: bool = True
) -> Iterator[Shown]:
    """A window of this width (CSS pixels), light or dark, with or without JavaScript."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, java_script_enabled=script
    )
    try:
        yield Shown(context)
    finally:
        context.close()
