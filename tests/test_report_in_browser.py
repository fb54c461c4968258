"""The report in a real Chromium: what a reader would see, and that each check can fail."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sockstates.record.timeline import Timeline
from sockstates.report.html.index import index_page
from sockstates.report.html.page import scenario_page
from tests.browser import browser, shown
from tests.report_samples import (
    RUN,
    crossing_story,
    long_story,
    result_of,
    sampled_story,
    traced_story,
    write_many,
)
from tests.tls_octets import tls_story

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser"]

STORIES: dict[str, tuple[Callable[[], Timeline], list[list[str]]]] = {
    "sampled": (
        sampled_story,
        [
            *(["client", state] for state in ("ESTABLISHED", "CLOSE_WAIT")),
            *(["server", state] for state in ("LISTEN", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2")),
        ],
    ),
    "traced": (
        traced_story,
        [
            *(["client", state] for state in ("SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "TIME_WAIT")),
            *(["server", state] for state in ("SYN_RECV", "ESTABLISHED", "CLOSE_WAIT")),
        ],
    ),
    "crossing": (crossing_story, [["client", "ESTABLISHED"], ["server", "ESTABLISHED"]]),
    "long": (lambda: long_story(600), [["client", "ESTABLISHED"]]),
    "tls": (tls_story, []),
}
STORED = 240.0
"""Seconds after which the browser will never store what a page has asked it to remember."""
SAMPLED_STATES = STORIES["sampled"][1]


def quickest(browser: "Browser", path: Path) -> float:
    """Milliseconds until a page can be used, at best: what else the machine does only adds."""
    taken = []
    for _ in range(3):
        with shown(browser) as window:
            ready = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
            taken.append(float(window.open(path).evaluate(ready)))
    return min(taken)


def written(
    folder: Path, story: Callable[[], Timeline], change: Callable[[str], str] = str
) -> Path:
    """The story's page as a file, changed by `change`."""
    timeline = story()
    path = folder / "page.html"
    text = scenario_page(timeline, result_of(timeline, 1), {"kernel": "Linux"}, ["a.pcapng"])
    path.write_text(change(text), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", STORIES)
def test_a_page_is_as_it_should_be(browser: "Browser", tmp_path: Path, name: str) -> None:
    story, states = STORIES[name]
    with shown(browser) as window:
        window.open(written(tmp_path, story))
        assert window.problems_everywhere(states=states) == []


def replaced(pattern: str, by: str) -> Callable[[str], str]:
    """A change of a page: the first match replaced."""

    def change(text: str) -> str:
        changed, count = re.subn(pattern, by, text, count=1, flags=re.DOTALL)
        assert count == 1
        return changed

    return change


def without_bars_of(state: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf'<g class="state state-{state}".*?</g>', "", text)


DEFECTS = {
    "no bar: server FIN_WAIT1": without_bars_of("FIN_WAIT1"),
    "overlap: ": replaced(
        r'(<svg class="ladder" viewBox.*?)</svg>',
        r'\1<text x="300" y="60">one</text><text x="305" y="64">two</text></svg>',
    ),
    "cut off: ": replaced(r'(class="host"[^>]*>)client', r"\1client" + "x" * 300),
    "no ladder": lambda text: re.sub(r'<figure class="step">.*?</figure>', "", text),
    "a step without its ladder": replaced(r'<svg class="ladder" viewBox.*?</svg>', ""),
    "error: planted": replaced("</main>", '</main><script>console.error("planted")</script>'),
    "error: thrown": replaced("</main>", '</main><script>throw new Error("thrown")</script>'),
    "request: http://192.0.2.1/": replaced(
        "</main>", '</main><img src="http://192.0.2.1/" alt="">'
    ),
    "overflow: ": replaced("</main>", '</main><div style="width:900px">wide</div>'),
    "contrast: ": replaced("</main>", '</main><p style="color:#bbb;background:#fff">pale</p>'),
}


@pytest.mark.parametrize("complaint", DEFECTS)
def test_each_check_can_fail(browser: "Browser", tmp_path: Path, complaint: str) -> None:
    with shown(browser, width=400) as window:
        window.open(written(tmp_path, sampled_story, DEFECTS[complaint]))
        found = window.problems(states=SAMPLED_STATES)
    assert any(each.startswith(complaint) for each in found), found


def test_a_segment_tells_all_of_itself_to_mouse_and_keyboard(
    browser: "Browser", tmp_path: Path
) -> None:
    with shown(browser) as window:
        page = window.open(written(tmp_path, sampled_story))
        readout = page.locator("#readout")
        assert readout.is_hidden()
        segments = page.locator(".step .segment")
        segments.nth(1).hover()
        assert "Flags [S.], seq 5000, ack 1001" in readout.inner_text()
        page.mouse.move(2, 2)
        assert readout.is_hidden()
        segments.first.focus()
        assert "Flags [S], seq 1000" in readout.inner_text()
        page.keyboard.press("ArrowDown")
        assert "Flags [S.]" in readout.inner_text()
        page.keyboard.press("Escape")
        assert readout.is_hidden()
        assert page.locator('.step .segment[tabindex="0"]').count() == 1


def test_the_theme_is_the_systems_or_the_readers_and_is_remembered(
    browser: "Browser", tmp_path: Path
) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with shown(browser, theme="dark") as window:
        page = window.open(written(tmp_path, sampled_story))
        dark = page.evaluate(paper)
        page.click("#switch")
        light = page.evaluate(paper)
        assert light != dark
        deadline = time.monotonic() + STORED
        page.reload()
        while page.evaluate(paper) == dark and time.monotonic() < deadline:
            page.reload()  # another process of the browser writes it down, in its own time
        assert page.evaluate(paper) == light
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(paper) == light
        assert page.locator("#switch").is_hidden()


def test_printing_is_light_also_when_the_screen_is_dark(browser: "Browser", tmp_path: Path) -> None:
    with shown(browser, theme="dark") as window:
        page = window.open(written(tmp_path, sampled_story))
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        assert page.locator("nav").first.is_hidden()
        assert page.evaluate("getComputedStyle(document.querySelector('.step')).breakInside") == (
            "avoid"
        )


def test_a_stale_page_says_so(browser: "Browser", tmp_path: Path) -> None:
    stale = replaced('<body class="current">', '<body class="stale">')
    with shown(browser) as window:
        page = window.open(written(tmp_path, sampled_story))
        assert page.get_by_text("from an earlier run").is_hidden()
        page = window.open(written(tmp_path, sampled_story, stale))
        assert page.get_by_text("from an earlier run").is_visible()


def index_of(folder: Path, count: int) -> Path:
    path = folder / "index.html"
    path.write_text(index_page(write_many(folder, count), RUN, {"kernel": "Linux"}))
    return path


class TestIndex:
    def test_it_is_as_it_should_be(self, browser: "Browser", tmp_path: Path) -> None:
        with shown(browser) as window:
            window.open(index_of(tmp_path, 12))
            assert window.problems_everywhere() == []

    def test_it_filters(self, browser: "Browser", tmp_path: Path) -> None:
        with shown(browser) as window:
            page = window.open(index_of(tmp_path, 12))
            rows = page.locator("#scenarios tbody tr:visible")
            assert rows.count() == 12
            page.select_option("#verdict", "failed")
            assert rows.count() == 3
            assert page.inner_text("#count") == "3 of 12 scenarios"
            page.select_option("#claim", "T2")
            assert rows.count() == 1
            page.select_option("#claim", "")
            page.select_option("#verdict", "")
            page.select_option("#state", "LISTEN")
            assert rows.count() == 6
            page.select_option("#state", "")
            page.select_option("#symptom", "connect hangs")
            assert rows.count() == 4
            assert rows.first.locator(".phenomenon").inner_text() == "4 connect hangs"
            page.select_option("#symptom", "")
            page.fill("#text", "test_5 connect hangs")
            assert rows.count() == 1
            page.fill("#text", "test_10 ipv4")
            assert rows.count() == 1
            page.fill("#text", "no such scenario")
            assert page.locator("#nothing").is_visible()

    def test_it_sorts_numbers_as_numbers(self, browser: "Browser", tmp_path: Path) -> None:
        with shown(browser) as window:
            page = window.open(index_of(tmp_path, 12))
            page.click("th button:text('Duration')")
            durations = page.eval_on_selector_all(
                "#scenarios .duration", "cells => cells.map(cell => Number(cell.dataset.order))"
            )
            assert durations == sorted(durations)
            page.click("th button:text('Phenomenon')")
            numbers = page.locator("#scenarios .phenomenon").all_inner_texts()
            assert [each.split()[0] for each in numbers if each] == [*"34679", "10", "12", "13"]
            assert numbers[-4:] == ["", "", "", ""]
            page.click("th button:text('Duration')")
            page.click("th button:text('Duration')")
            assert page.get_attribute("th[data-key=duration]", "aria-sort") == "descending"

    def test_it_is_a_plain_table_without_javascript(
        self, browser: "Browser", tmp_path: Path
    ) -> None:
        with shown(browser, script=False) as window:
            page = window.open(index_of(tmp_path, 12))
            assert page.locator("#scenarios tbody tr:visible").count() == 12
            assert page.locator("#controls").is_hidden()
            assert page.locator("#switch").is_hidden()

    def test_of_300_scenarios_it_opens_at_once(self, browser: "Browser", tmp_path: Path) -> None:
        with shown(browser) as window:
            page = window.open(index_of(tmp_path, 300))
            assert page.locator("#scenarios tbody tr").count() == 300
        assert 0 < quickest(browser, index_of(tmp_path, 300)) < 2000


def test_a_page_of_very_many_segments_opens(browser: "Browser", tmp_path: Path) -> None:
    path = written(tmp_path, lambda: long_story(3000))
    with shown(browser) as window:
        window.open(path)
        assert window.problems(states=[["client", "ESTABLISHED"]]) == []
    assert 0 < quickest(browser, path) < 5000
