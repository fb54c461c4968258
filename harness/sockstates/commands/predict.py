"""``sockstates predict KIND``: what this kernel will do with silence, or another one would.

Reads the machine's own sysctls, and changes nothing.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

from sockstates.system import ticks_a_second
from sockstates.tcp.kernel import NEWEST, Kernel, UnknownKernel
from sockstates.tcp.kernel_settings import (
    IPV4,
    OPTIONS,
    SETTINGS,
    SettingError,
    bare,
    checked_option,
    checked_setting,
)
from sockstates.tcp.prediction import KINDS, ORPHANED, Prediction, UnknownKind, kind_of, predict
from sockstates.tcp.silence import Situation

SYSCTLS = Path("/proc/sys/net/ipv4")
WRONG_USAGE = 2
WIDTH = 80


def main(arguments: list[str]) -> int:
    """Print the schedule; its exit status."""
    wishes = parser().parse_args(arguments)
    try:
        situation = situation_of(wishes)
        made = _with_strangers(predict(wishes.kind, situation), wishes)
    except (SettingError, UnknownKernel, UnknownKind) as error:
        sys.stderr.write(f"predict: {error}\n")
        return WRONG_USAGE
    if wishes.json:
        sys.stdout.write(json.dumps(as_json(made, situation), indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(drawn(made, situation)) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(
        prog="sockstates predict",
        description="What Linux does when the peer is silent: what it sends again and when,\n"
        "when it gives up, and with which errno. Without --kernel: this machine's\n"
        "kernel and its settings.",
        epilog="kinds:\n" + "\n".join(f"  {each.name:<10} {each.title}" for each in KINDS.values()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    add_machine(made)
    has = made.add_mutually_exclusive_group()
    has.add_argument(
        "--orphan", action="store_true", default=None, help="the program has closed the socket"
    )
    has.add_argument(
        "--owned", dest="orphan", action="store_false", help="the program still has the socket"
    )
    made.add_argument("--json", action="store_true", help="for programs")
    return made


def add_machine(made: argparse.ArgumentParser) -> None:
    """The arguments that describe the machine, its socket and the path."""
    made.add_argument(
        "--set", metavar="SETTING=VALUE", action="append", default=[], help="a sysctl of net.ipv4"
    )
    made.add_argument(
        "--option",
        metavar="OPTION=VALUE",
        action="append",
        default=[],
        help="a socket option, in its own unit: " + ", ".join(OPTIONS),
    )
    made.add_argument(
        "--kernel", metavar="VERSION", help="another kernel with its defaults: 6.1, 6.12, …"
    )
    made.add_argument(
        "--hz", type=int, help="tick rate of the kernel, HZ (default: this machine's)"
    )
    made.add_argument(
        "--round-trip",
        type=float,
        default=Situation().round_trip,
        metavar="SECONDS",
        help="of the path; RTO comes from it (default: %(default)s)",
    )


def situation_of(wishes: argparse.Namespace) -> Situation:
    """What the command line describes. Raises SettingError, UnknownKernel, UnknownKind."""
    kind_of(wishes.kind)
    if wishes.hz is not None and not 24 <= wishes.hz <= 1200:
        raise SettingError(f"--hz {wishes.hz} is out of range: kernels have 24 to 1200")
    if not 0 <= wishes.round_trip < 60:
        raise SettingError(f"--round-trip {wishes.round_trip:g} is out of range: 0 to 60 seconds")
    hz = wishes.hz or ticks_a_second()
    kernel = Kernel.of(wishes.kernel or platform.release(), hz)
    if wishes.kernel and kernel.version > NEWEST:
        raise UnknownKernel(
            f"{kernel} is newer than all that was measured; the newest is {NEWEST[0]}.{NEWEST[1]}"
        )
    settings = {} if wishes.kernel else this_machines_settings()
    for text in wishes.set:
        name, value = checked_setting(*_pair("--set", "tcp_retries2=8", text), kernel)
        settings[IPV4 + name] = str(value)
    options = dict(
        checked_option(*_pair("--option", "TCP_USER_TIMEOUT=30000", text), kernel)
        for text in wishes.option
    )
    orphan = wishes.kind in ORPHANED if wishes.orphan is None else wishes.orphan
    return Situation(kernel, settings, options, orphan, wishes.round_trip)


def _with_strangers(made: Prediction, wishes: argparse.Namespace) -> Prediction:
    """What was set and has nothing to do with it is said, and a kernel that nobody has measured."""
    names = [bare(text.partition("=")[0].strip()) for text in wishes.set]
    remarks = [f"{name} changes nothing here" for name in names if name not in made.kind.settings]
    if not wishes.kernel and Kernel.of(platform.release()).version > NEWEST:
        remarks.append("this kernel is newer than all that was measured")
    return replace(made, remarks=(*made.remarks, *remarks))


def this_machines_settings() -> dict[str, str]:
    """The sysctls of this network namespace; what cannot be read is left out."""
    found: dict[str, str] = {}
    for name in SETTINGS:
        try:
            found[IPV4 + name] = (SYSCTLS / name).read_text(encoding="ascii").split()[0]
        except (OSError, IndexError):
            continue
    return found


def as_json(made: Prediction, situation: Situation) -> dict[str, object]:
    """For programs: moments, gives_up (seconds; null: never), errno (null: nobody is told)."""
    return {
        "kind": made.kind.name,
        "kernel": str(situation.kernel),
        "hz": situation.kernel.hz,
        "settings": in_force(made, situation),
        "options": dict(situation.options),
        "orphan": situation.orphan,
        "moments": list(made.moments),
        "gives_up": made.gives_up,
        "gives_up_sooner": made.sooner,
        "errno": made.errno or None,
        "remarks": list(made.remarks),
    }


def in_force(made: Prediction, situation: Situation) -> dict[str, int]:
    """The settings that matter, with their values."""
    return {
        name: situation.value(name)
        for name in made.kind.settings
        if name in SETTINGS and situation.kernel.version >= SETTINGS[name].since
    }


def drawn(made: Prediction, situation: Situation) -> list[str]:
    """For people: a line for each moment, at most 80 columns wide."""
    kind = made.kind
    lines = [
        f"{kind.name}: {kind.title}",
        f"{situation.kernel}, {situation.kernel.hz} ticks a second",
    ]
    lines += ["", *_moments(made), ""]
    if made.sooner is not None:
        text = f"Timers that are late can make it {made.sooner:g} s: the limit is a time, no count."
        lines += textwrap.wrap(text, WIDTH)
    for remark in made.remarks:
        lines += textwrap.wrap(f"Note: {remark}.", WIDTH)
    lines.append("Nominal: no timer is early, each can be late by an eighth and a little.")
    options = [f"{name}={value:g}" for name, value in situation.options.items()]
    settings = [f"{name} {value}" for name, value in in_force(made, situation).items()]
    lines += _wrapped("settings", [*settings, *options] or ["none"])
    others = [each for each in kind.settings if each in OPTIONS and each not in situation.options]
    if others:
        lines += _wrapped("options", others)
    return lines + _wrapped("sources", kind.sources.split("; "), "; ")


def _moments(made: Prediction) -> list[str]:
    kind = made.kind
    at_once = made.gives_up == 0
    moments = [(0.0, f"the first {kind.repeats}" if kind.repeats and not at_once else "begins")]
    if kind.name in ("probe", "keepalive"):
        moments = [(0.0, "the last that was heard of the peer")]
    names = [f"{kind.repeats} again" for _ in made.moments]
    if kind.name in ("probe", "keepalive"):
        names = [kind.repeats for _ in made.moments]
    moments += zip(made.moments, names, strict=True)
    if made.gives_up is None:
        return [*_lines(moments), "        never   given up"]
    end = f"given up: {made.errno}" if made.errno else "over"
    if kind.repeats and not made.errno and not at_once:
        end = "given up; no program is told"
    return _lines([*moments, (made.gives_up, end)])


def _lines(moments: list[tuple[float, str]]) -> list[str]:
    found, before = [], 0.0
    for moment, what in moments:
        after = f"  (after {moment - before:g} s)" if before and moment > before else ""
        found.append(f"{moment:>11.3f} s   {what}{after}")
        before = moment
    return found


def _wrapped(title: str, words: list[str], separator: str = ", ") -> list[str]:
    """Words behind a title, unbroken ones."""
    unbroken = separator.join(each.replace(" ", "\N{NO-BREAK SPACE}") for each in words)
    lines = textwrap.wrap(
        unbroken, WIDTH, initial_indent=f"{title:<10}", subsequent_indent=" " * 10
    )
    return [each.replace("\N{NO-BREAK SPACE}", " ") for each in lines]


def _pair(flag: str, example: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise SettingError(f"{flag} {text}: write it like {flag} {example}")
    return name.strip(), value.strip()


def prediction_of(line: str) -> Prediction:
    """What ``predict`` says to this line of arguments: "syn --set tcp_syn_retries=3 --kernel 6.1".

    Raises SettingError, UnknownKernel, UnknownKind.
    """
    wishes = parser().parse_args(line.split())
    return predict(wishes.kind, situation_of(wishes))
