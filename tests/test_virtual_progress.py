"""How far a build is, on a terminal and elsewhere."""

import io
import time

import pytest

from sockstates.virtual import progress
from sockstates.virtual.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_line_now_and_then_where_nothing_can_be_rewritten(clock: list[float]) -> None:
    shown = io.StringIO()
    counted = Progress("6.12", shown)
    for number in range(100):
        clock[0] = float(number)
        counted.line(f"  CC      net/ipv4/tcp_{number}.o\n")
        counted.line("  AR      net/built-in.a\n")
    counted.end()
    assert shown.getvalue().splitlines() == [
        "  31 of about 862 objects, 0:30 min",
        "  61 of about 862 objects, 1:00 min",
        "  91 of about 862 objects, 1:30 min",
        "  100 of about 862 objects, 1:39 min",
    ]


def test_a_terminals_line_is_rewritten(clock: list[float]) -> None:
    shown = Terminal()
    counted = Progress("6.1", shown)
    clock[0] = 1
    counted.line("  AS      a.o\n")
    counted.end()
    line = "\r  1 of about 827 objects, 0:01 min\x1b[K"
    assert shown.getvalue() == f"{line}{line}\n"


def test_what_was_made_before_counts_and_nothing_counts_twice() -> None:
    counted = Progress("7.3", io.StringIO())
    counted.before("  CC      a.o\n  CC      b.o\nmake: *** Interrupt\n")
    counted.line("  CC      b.o\n")
    assert counted.words().startswith("  2 of about 870 objects")


def test_more_than_expected_are_not_told_to_be_of_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "OBJECTS", {"6.1": 1})
    counted = Progress("6.1", io.StringIO())
    counted.before("  CC      a.o\n  CC      b.o\n")
    assert counted.words().startswith("  2 objects")


@pytest.mark.parametrize(("version", "like"), [("5.10", "6.1"), ("6.11", "6.12"), ("8.0", "7.3")])
def test_an_unknown_version_is_estimated_by_the_nearest(version: str, like: str) -> None:
    assert progress.objects_of(version) == progress.OBJECTS[like]
