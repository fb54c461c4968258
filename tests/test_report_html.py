"""The report's pages as text: what is in them, how large they get, that they need nothing else."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sockstates.evidence.bars import bars, states_reached
from sockstates.record.events import ProgramWrote, Step
from sockstates.record.timeline import Timeline
from sockstates.report.html.choice import MOST, chosen
from sockstates.report.html.index import index_page
from sockstates.report.html.markup import VOID, Markup, escape, tag
from sockstates.report.html.page import scenario_page
from sockstates.report.html.results import PAGE_FILE, RESULT_FILE, mark_stale, read_results
from sockstates.report.html.scale import FOLD_FROM, Mark, factor, place
from sockstates.report.story import numbered
from sockstates.tcp.states import CLOSE_WAIT, ESTABLISHED, FIN_WAIT1, SYN_RECV, TIME_WAIT
from tests.recorded import at, empty_timeline
from tests.report_samples import (
    RUN,
    crossing_story,
    key,
    long_story,
    result_of,
    sampled,
    sampled_story,
    traced_story,
    write_many,
)

MEGABYTE = 1_000_000
VERSIONS = {"kernel": "Linux 6.18", "python": "CPython 3.11"}


class Reader(HTMLParser):
    """Reads a page strictly: every element that opens is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for key, value in attrs if key in ("href", "src")]
        self.ids += [value or "" for key, value in attrs if key == "id"]
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open
        assert self.open.pop() == name


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return reader


def page_of(timeline: Timeline) -> str:
    return scenario_page(timeline, result_of(timeline), VERSIONS, ["client.pcapng"])


STORIES = [sampled_story, traced_story, crossing_story]


@pytest.mark.parametrize("story", STORIES)
def test_a_page_is_whole_and_needs_nothing_but_itself(story: type[Timeline]) -> None:
    text = page_of(story())
    reader = read(text)
    assert set(reader.links) == {"data:,", "../index.html", "client.pcapng"}
    assert not re.search(r"@import|url\((?!#)|https?:", text)
    assert len(reader.ids) == len(set(reader.ids))


def test_a_page_says_which_connection_a_letter_is_and_which_listener_a_bar() -> None:
    several = page_of(crossing_story())
    for letter, port in (("A", 40000), ("B", 40001), ("C", 40002)):
        words = f"the connection (server.16868 &gt; client.{port}|client.{port} &gt; server.16868)"
        assert re.search(rf">{letter}</text></svg>{words}", several)
    one = page_of(sampled_story())
    assert "the connection" not in one
    assert ">16868 LISTEN</text>" in one


def test_what_the_scenario_set_is_on_its_page() -> None:
    page = page_of(sampled_story())
    assert "<code>client: iptables -A INPUT -s server -j DROP</code>" in page
    assert "<code>client: net.ipv4.tcp_retries2 = 8 (was 15)</code>" in page


def test_text_from_anywhere_stays_text() -> None:
    timeline = sampled_story()
    hostile = '<script>alert(1)</script> & "x" \x1b[31m\x00 \udcff'
    timeline.title = hostile
    timeline.add(Step(at(9.4), hostile))
    timeline.add(ProgramWrote(at(9.4), "client", 1, "stdout", hostile.encode("utf-8", "replace")))
    text = page_of(timeline)
    read(text)
    text.encode()
    assert "alert(1)" in text
    assert "<script>alert" not in text
    assert "\x00" not in text
    assert "\x1b" not in text
    assert "␛[31m␀" in text


def test_markup_is_escaped_once() -> None:
    assert escape('<a> & "b"') == "&lt;a&gt; &amp; &quot;b&quot;"
    assert tag("p", tag("b", "<"), Markup("&amp;")) == "<p><b>&lt;</b>&amp;</p>"
    assert tag("td", 1, class_="x", data_state=None, hidden=True, x=1.25) == (
        '<td class="x" hidden x="1.2">1</td>'
    )


class TestStates:
    def test_a_sample_gives_a_soft_edge(self) -> None:
        timeline = sampled_story()
        bar = next(bar for bar in bars(timeline, at(10)) if bar.key == key("server"))
        assert [piece.state for piece in bar.pieces][:2] == [ESTABLISHED, FIN_WAIT1]
        piece = bar.pieces[1]
        assert not piece.exact
        assert (piece.not_before, piece.start) == (at(0.706), at(0.71))
        assert piece.end == bar.pieces[2].start

    def test_the_tracepoint_gives_a_hard_one(self) -> None:
        bar = next(b for b in bars(traced_story(), at(1)) if b.key == key("server"))
        assert [(piece.state, piece.exact) for piece in bar.pieces] == [
            (SYN_RECV, False),
            (ESTABLISHED, True),
            (CLOSE_WAIT, True),
        ]

    def test_a_sample_does_not_contradict_the_tracepoint(self) -> None:
        timeline = traced_story()
        before = next(bar for bar in bars(timeline, at(1)) if bar.key == key("server"))
        timeline.add(sampled(0.002, "server", SYN_RECV))
        after = next(bar for bar in bars(timeline, at(1)) if bar.key == key("server"))
        assert before == after

    def test_time_wait_begins_after_the_tracepoint_says_close(self) -> None:
        bar = next(b for b in bars(traced_story(), at(1)) if b.key == key("client"))
        last = bar.pieces[-1]
        assert (last.state, last.exact) == (TIME_WAIT, False)
        assert last.not_before == at(0.30002) < last.start
        assert TIME_WAIT not in [piece.state for piece in bar.pieces[:-1]]

    def test_what_was_reached_is_told_once_for_each_host(self) -> None:
        reached = states_reached(sampled_story())
        assert reached[:3] == ["server LISTEN", "client ESTABLISHED", "server ESTABLISHED"]
        assert len(reached) == len(set(reached))


class TestScale:
    def test_heights_are_to_scale_where_there_is_room(self) -> None:
        marks = [Mark(at(second), {"arrows": (18.0, 8.0)}) for second in (1, 2, 4)]
        placed = place(marks, at(0), at(5), 50 / 1e9)
        assert marks[2].y - marks[1].y == pytest.approx(2 * (marks[1].y - marks[0].y))
        assert placed.y(at(3)) == pytest.approx((marks[1].y + marks[2].y) / 2)
        assert not placed.folds

    def test_words_get_room_and_silence_is_folded(self) -> None:
        marks = [Mark(at(0.1) + each, {"arrows": (18.0, 8.0)}) for each in range(3)]
        late = Mark(at(100), {"arrows": (18.0, 8.0)})
        placed = place([*marks, late], at(0), at(100), 50 / 1e9)
        assert marks[1].y - marks[0].y == pytest.approx(26.0)
        assert [fold.end for fold in placed.folds] == [at(100)]
        assert late.y - marks[2].y < FOLD_FROM

    def test_nothing_stands_above_what_was_before_it(self) -> None:
        marks = [Mark(at(0.01 * each), {f"track {each % 3}": (11.0, 40.0)}) for each in range(30)]
        place(marks, at(0), at(1), factor([[at(0), at(0.5), at(1)]]))
        heights = [mark.y for mark in marks]
        assert heights == sorted(heights)


class TestLongCaptures:
    def test_beginning_end_and_what_is_interesting_are_shown(self) -> None:
        sent = numbered(long_story(2000).wire)
        shown, gaps = chosen(sent, [at(0.5)])
        assert len(shown) <= MOST
        assert shown[0].place == 0
        assert shown[-1].place == len(sent) - 1
        again = [each.place for each in sent if each.first is not None]
        assert len(again) == 4
        assert set(again) <= {each.place for each in shown}
        assert len(shown) + sum(gap.count for gap in gaps) == len(sent)

    def test_a_page_of_20000_segments_is_small_and_says_what_is_missing(self) -> None:
        text = page_of(long_story(20_000))
        assert len(text.encode()) < 2 * MEGABYTE
        drawn = text.count('class="segment')
        assert 60 < drawn <= MOST + 10
        assert "are left out; the captures have them" in text
        assert "segments are left out here" in text
        assert "later events are left out here" in text

    def test_short_captures_are_whole(self) -> None:
        sent = numbered(sampled_story().wire)
        assert chosen(sent, []) == (sent, [])


class TestIndex:
    def test_what_was_not_run_this_time_is_said_to_be_old(self) -> None:
        timeline = empty_timeline()
        results = [result_of(timeline, 1), result_of(timeline, 2, run="an-earlier-one")]
        text = index_page(results, RUN, VERSIONS)
        read(text)
        current, _, earlier = text.partition("From earlier runs")
        assert "test_1[ipv4]" in current
        assert "test_2[ipv4]" not in current
        assert "test_2[ipv4]" in earlier
        assert "1 scenario<" in current

    def test_results_come_back_and_strangers_are_passed_over(self, tmp_path: Path) -> None:
        written = write_many(tmp_path, 3)
        for name, text in (("a", "no json"), ("b", "[]"), ("c", '{"run": "x"}')):
            (tmp_path / name).mkdir()
            (tmp_path / name / RESULT_FILE).write_text(text)
        assert read_results(tmp_path) == written

    def test_a_stale_page_says_so_and_stays_so(self, tmp_path: Path) -> None:
        (old,) = write_many(tmp_path, 1)
        path = tmp_path / old.folder / PAGE_FILE
        path.write_text(page_of(sampled_story()))
        assert '<body class="current">' in path.read_text()
        mark_stale(tmp_path, [old])
        once = path.read_text()
        assert '<body class="stale">' in once
        mark_stale(tmp_path, [old])
        assert path.read_text() == once

    def test_300_scenarios_stay_small(self, tmp_path: Path) -> None:
        results = write_many(tmp_path, 300)
        text = index_page(results, RUN, VERSIONS)
        assert len(text.encode()) < MEGABYTE
        page = page_of(sampled_story())
        assert 300 * len(page.encode()) < 50 * MEGABYTE
