"""``sockstates explain 131s``: which silence lasts so long, ends so, or looks so.

Asks the predictor for this machine, and for what is often changed; names the scenario that shows
each cause, found in the scenarios' own files. Changes nothing.
"""

from __future__ import annotations

import argparse
import ast
import errno
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

from sockstates.commands.predict import WIDTH, add_machine, situation_of
from sockstates.commands.predict import parser as parser_of_predict
from sockstates.tcp.causes import Cause, Seen, nearest, ranked
from sockstates.tcp.kernel import UnknownKernel
from sockstates.tcp.kernel_settings import SettingError
from sockstates.tcp.silence import Situation
from sockstates.tcp.states import State, UnknownState

WRONG_USAGE, NOTHING_FITS = 2, 1
SCENARIOS = Path(__file__).resolve().parents[3] / "scenarios"
MOST = 6
"""Causes that are printed."""
SECONDS = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
}


class UnreadableError(ValueError):
    """An argument that is none."""


def main(arguments: list[str]) -> int:
    """Print the causes; 1 when nothing fits."""
    wishes = parser().parse_args(arguments)
    try:
        seen = seen_of(wishes)
        machine = machine_of(wishes)
    except (UnreadableError, UnknownState, UnknownKernel, SettingError) as error:
        sys.stderr.write(f"explain: {error}\n")
        return WRONG_USAGE
    found = ranked(seen, machine)
    if not found:
        sys.stderr.write("\n".join(nothing_fits(seen, machine, wishes)) + "\n")
        return NOTHING_FITS
    sys.stdout.write("\n".join(drawn(found, machine, wishes)) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(
        prog="sockstates explain",
        description="Which causes fit what was seen: how long it hung, how it ended, in which "
        "state the socket was, how often something was sent again. One of them is enough.",
    )
    made.add_argument(
        "duration", nargs="?", help="131s, 2m11s, 15min, 200ms; a bare number: seconds"
    )
    made.add_argument("--errno", help="what the program got: ETIMEDOUT, 110, …")
    made.add_argument(
        "--state", help="of the socket, as ss or netstat prints it: SYN_SENT, syn-recv, …"
    )
    made.add_argument("--retransmits", type=int, metavar="N", help="how often it was sent again")
    add_machine(made)
    return made


def seen_of(wishes: argparse.Namespace) -> Seen:
    """What was seen. Raises UnreadableError, UnknownState."""
    if wishes.duration is wishes.errno is wishes.state is wishes.retransmits is None:
        raise UnreadableError("what was seen? A duration (131s), --errno, --state or --retransmits")
    if wishes.retransmits is not None and wishes.retransmits < 0:
        raise UnreadableError(f"--retransmits {wishes.retransmits}: a count, from 0")
    seconds, rounded = (None, 0.0) if wishes.duration is None else seconds_of(wishes.duration)
    return Seen(
        seconds,
        rounded,
        "" if wishes.errno is None else errno_of(wishes.errno),
        None if wishes.state is None else State.of(wishes.state),
        wishes.retransmits,
    )


def seconds_of(text: str) -> tuple[float, float]:
    """A duration (131s, 2m11s, 1.5 min), and how far it may be rounded: half of its last digit.

    Both in seconds. Raises UnreadableError.
    """
    plain = re.sub(r"\s", "", text.lower())
    parts = re.findall(r"(\d+)(\.\d+)?([a-z]*)", plain)
    if (
        "".join(map("".join, parts)) != plain
        or not parts
        or any(e[2] not in SECONDS for e in parts)
    ):
        raise UnreadableError(
            f"{text!r} is not a duration; write it like 131s, 2m11s, 15min or 200ms"
        )
    seconds = sum(float(whole + rest) * SECONDS[unit] for whole, rest, unit in parts)
    _, rest, unit = parts[-1]
    return seconds, SECONDS[unit] / 2 / 10 ** len(rest[1:])


def errno_of(text: str) -> str:
    """The name of an errno, also of its number. Raises UnreadableError."""
    number = int(text) if text.isdigit() else getattr(errno, text.upper(), None)
    if isinstance(number, int) and number in errno.errorcode:
        return errno.errorcode[number]
    raise UnreadableError(f"{text!r} is no errno; write it like ETIMEDOUT or 110")


def machine_of(wishes: argparse.Namespace) -> Situation:
    """This machine, or the one that is described. Raises SettingError, UnknownKernel."""
    line = ["syn", *_settings_told(wishes), *_machine_told(wishes)]
    return situation_of(parser_of_predict().parse_args(line))


def _settings_told(wishes: argparse.Namespace) -> list[str]:
    words = [word for each in wishes.set for word in ("--set", each)]
    words += [word for each in wishes.option for word in ("--option", each)]
    return words + (["--kernel", wishes.kernel] if wishes.kernel else [])


def _machine_told(wishes: argparse.Namespace) -> list[str]:
    """What is so with the defaults of another kernel, too."""
    words = ["--hz", str(wishes.hz)] if wishes.hz else []
    usual = Situation().round_trip
    return words + (
        ["--round-trip", f"{wishes.round_trip:g}"] if wishes.round_trip != usual else []
    )


def predicting(cause: Cause, wishes: argparse.Namespace) -> str:
    """The arguments of ``predict`` that give exactly this: the machine's that were told, too."""
    kind, *own = cause.line.split()
    elsewhere = "--kernel" in own
    told = _machine_told(wishes) if elsewhere else _settings_told(wishes) + _machine_told(wishes)
    return " ".join((kind, *told, *own))


def drawn(found: list[Cause], machine: Situation, wishes: argparse.Namespace) -> list[str]:
    """For people, the most likely first, at most 80 columns wide."""
    shown = dict(scenarios_by_line())
    lines = [f"{machine.kernel}, {machine.kernel.hz} ticks a second; the most likely first"]
    first, others = _chosen(found)
    for number, cause in enumerate(first, 1):
        lines += ["", *_paragraph(f"{number}. ", cause.title)]
        lines += _paragraph("   ", _facts(cause))
        for remark in cause.remarks:
            lines += _paragraph("   note        ", remark)
        if cause.changed_by:
            lines += _paragraph("   changed by  ", ", ".join(cause.changed_by))
        if cause.line:
            command = f"sockstates predict {predicting(cause, wishes)}"
            lines += _paragraph("   predicted   ", command)
        scenario = shown.get(cause.line) or shown.get(cause.kind.split(" ")[0])
        if scenario:
            lines += ["   shown by", f"     {scenario}"]
    if others:
        lines += ["", f"and {len(others)} more, less likely; tell more of what was seen:"]
    for cause in others:
        ends = _facts(replace(cause, states=(), sooner=None, retransmits=None))
        what = f"predict {predicting(cause, wishes)}" if cause.line else cause.title
        lines += _paragraph("   ", f"{what}: {ends}")
    return lines


def _chosen(found: list[Cause]) -> tuple[list[Cause], list[Cause]]:
    """Those that are told in full, each of another kind, and the rest."""
    kinds: dict[str, Cause] = {}
    for cause in found:
        kinds.setdefault(cause.kind or cause.title, cause)
    first = list(kinds.values())[:MOST]
    return first, [each for each in found if each not in first]


def _facts(cause: Cause) -> str:
    facts = ["never ends" if cause.seconds is None else f"{cause.seconds:g} s"]
    if cause.seconds == 0:
        facts = ["at once"]
    if cause.sooner is not None:
        facts[0] += f" (or {cause.sooner:g} s, when timers are late)"
    if cause.states:
        facts.append(" or ".join(cause.states))
    if cause.retransmits:
        facts.append(
            f"sent again {cause.retransmits} times" if cause.retransmits > 1 else "sent again once"
        )
    facts.append(cause.errno or "no error")
    return "; ".join(facts)


def nothing_fits(seen: Seen, machine: Situation, wishes: argparse.Namespace) -> list[str]:
    """The nearest, and how far off it is."""
    lines = ["explain: no known cause fits that"]
    near = nearest(seen, machine)
    if near is None:
        return [
            *lines,
            "  no cause looks like this, however long it lasts. Is one of the details wrong?",
        ]
    lines += _paragraph("  nearest  ", near.title)
    lines += _paragraph("           ", _facts(near))
    off = near.off(seen)
    if off != inf:
        lines.append(f"  off by   {off:.3g} s, beside what a timer may be late")
    if near.line:
        command = f"sockstates predict {predicting(near, wishes)}"
        lines += _paragraph("  see      ", command)
    return lines


def _paragraph(lead: str, text: str) -> list[str]:
    below = " " * len(lead)
    return textwrap.wrap(
        text, WIDTH, initial_indent=lead, subsequent_indent=below, break_on_hyphens=False
    )


def scenarios_by_line(folder: Path = SCENARIOS) -> Iterator[tuple[str, str]]:
    """Arguments of ``predict`` (and their kind alone) -> the scenario whose marker has them."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for line in _predicted(function):
                    found.setdefault(line, f"{path.relative_to(folder.parent)}::{function.name}")
    for line in sorted(found, key=len):
        found.setdefault(line.split(" ")[0], found[line])
    yield from found.items()


def _predicted(function: ast.FunctionDef) -> Iterator[str]:
    for call in (node for each in function.decorator_list for node in ast.walk(each)):
        for keyword in getattr(call, "keywords", ()):
            if keyword.arg == "predict" and isinstance(keyword.value, ast.Constant):
                yield str(keyword.value.value)
