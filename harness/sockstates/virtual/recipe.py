"""What makes a kernel tree ours: the configuration fragment, and a few changes to its files.

Everything is data with its reason. Nothing here runs a program.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from sockstates.virtual.errors import BuildFailed
from sockstates.virtual.kernels import version_order

FRAGMENT = Path(__file__).with_name("kernel.config")
_SINCE = re.compile(r"# since (\d+\.\d+)")
_OPTION = re.compile(r"(CONFIG_\w+)=(.+)")


@dataclass(frozen=True, slots=True)
class Option:
    """A line of the fragment: ``value`` is ``y``, ``n``, a number or a quoted text."""

    name: str
    value: str
    since: str | None = None
    """The first version that has this option."""

    def is_in(self, configuration: str) -> bool:
        """Whether a whole ``.config`` says so. What is off may also be absent."""
        if self.value == "n":
            return re.search(rf"^{self.name}=", configuration, re.MULTILINE) is None
        return f"\n{self.name}={self.value}\n" in f"\n{configuration}\n"


@dataclass(frozen=True, slots=True)
class Change:
    """A change to one file of the tree: ``before`` gives way to ``after``."""

    file: str
    reason: str
    before: str
    after: str
    concerns: str = ""
    """Only a file that has this text needs the change; empty: every version does."""
    known_by: str = ""
    """A file with this text is changed already; empty: it is known by ``after``."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that the tree is to have, unless it has one of that name."""

    file: str
    reason: str
    text: str


CHANGES = (
    Change(
        "arch/um/Kconfig",
        "UML's ticks are fixed at 100 a second; a usual kernel has 250, and TCP's timers round "
        "to ticks",
        "config HZ\n\tint\n\tdefault 100\n",
        "config HZ\n\tint\n\tdefault 250\n",
    ),
    Change(
        "arch/um/Kconfig",
        "perf_event_open for tracepoints needs nothing of the architecture but this word and the "
        "header below",
        "config UML\n\tbool\n\tdefault y\n",
        "config UML\n\tbool\n\tdefault y\n\tselect HAVE_PERF_EVENTS\n",
        known_by="\tselect HAVE_PERF_EVENTS\n",
    ),
    Change(
        "arch/x86/um/user-offsets.c",
        "room for the vector registers of newer processors, where a version has a fixed room "
        "(6.1, 6.12): without it the guest's processes die at their first signal",
        "#ifdef FP_XSTATE_MAGIC1\n\tDEFINE_LONGS(HOST_FP_SIZE, 2696);\n",
        "#ifdef FP_XSTATE_MAGIC1\n\tDEFINE_LONGS(HOST_FP_SIZE, 12288);\n",
        concerns="#ifdef FP_XSTATE_MAGIC1",
    ),
    Change(
        "arch/um/kernel/time.c",
        "computing takes no time, but no two readings of the clock are equal: what happens first "
        "has the earlier stamp, also in interrupts, where UML's clock does not advance",
        "\t\treturn time_travel_time / TIMER_MULTIPLIER;\n",
        "\t\t{\n"
        "\t\t\tstatic u64 latest;\n\n"
        "\t\t\tlatest = max(time_travel_time / TIMER_MULTIPLIER, latest + 1);\n"
        "\t\t\treturn latest;\n"
        "\t\t}\n",
    ),
)
NEW_FILES = (
    NewFile(
        "arch/um/include/asm/perf_event.h",
        "asked for by HAVE_PERF_EVENTS; Alpha's is as empty",
        "/* Software events need nothing of this architecture. */\n",
    ),
)


def options() -> list[Option]:
    """The fragment, line by line."""
    return read_options(FRAGMENT.read_text())


def read_options(text: str) -> list[Option]:
    """The options of a fragment; ``# since 6.12`` stands for the line below it only."""
    found, since = [], None
    for line in text.splitlines():
        if match := _OPTION.fullmatch(line):
            found.append(Option(match[1], match[2], since))
        match = _SINCE.fullmatch(line)
        since = match[1] if match else None
    return found


def lacking(wanted: list[Option], configuration: str, version: str) -> list[Option]:
    """Options that a ``.config`` of this version should have and has not."""
    return [
        option
        for option in wanted
        if not option.is_in(configuration)
        and (option.since is None or version_order(option.since) <= version_order(version))
    ]


def apply_changes(tree: Path) -> None:
    """Change the tree's files; what is changed already stays as it is.

    Raises BuildFailed when a file does not have the place that is to be changed.
    """
    for change in CHANGES:
        path = tree / change.file
        text = path.read_text() if path.exists() else ""
        changed = changed_text(text, change)
        if changed != text:
            path.write_text(changed)
    for new in NEW_FILES:
        path = tree / new.file
        if not path.exists():
            path.write_text(new.text)


def changed_text(text: str, change: Change) -> str:
    """The text of a file after a change. Raises BuildFailed when its place is not there."""
    if (change.known_by or change.after) in text or change.concerns not in text:
        return text
    if text.count(change.before) != 1:
        raise BuildFailed(
            f"{change.file} of this kernel is not as expected: the place to change is there "
            f"{text.count(change.before)} times, not once.\n"
            f"The change: {change.reason}.\nLooked for:\n{change.before}"
            "Another version can be built: sockstates kernel list --available"
        )
    return text.replace(change.before, change.after)


def digest() -> str:
    """Names this recipe: another fragment or another change gives another digest."""
    text = f"{FRAGMENT.read_text()}\n{CHANGES!r}\n{NEW_FILES!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
