"""How long a phenomenon takes with default settings, in words: the predictor's answer. Pure.

The same on every machine: asked are all kernels between which the predictor sees a difference, the
usual lengths of a tick, and default settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from sockstates.tcp.kernel import OLDEST, Kernel
from sockstates.tcp.kernel_settings import OPTIONS, SETTINGS, Option, Setting, SettingError
from sockstates.tcp.prediction import Prediction

Ask = Callable[[str], Prediction]
"""Arguments of ``sockstates predict`` -> its answer; SettingError where a kernel has no such
setting."""
TICKS = (100, 250, 1000)
"""HZ of the kernels that people have."""
KERNEL = "--kernel"
MINUTES = 180
"""From so many seconds on people count in minutes."""

_Version = tuple[int, int]


def versions() -> tuple[_Version, ...]:
    """The oldest kernel, each at which something may have changed, and the newest that is known."""
    known: Iterable[Setting | Option] = chain(SETTINGS.values(), OPTIONS.values())
    since = {each.since for each in known}
    return tuple(sorted({OLDEST, Kernel().version, *since}))


def duration_text(line: str, ask: Ask) -> str:
    """The duration that these arguments give: ``131 s; 127 s before Linux 6.5``."""
    if KERNEL in line:
        return _on(line, ask) or ""
    told: dict[_Version, str] = {}
    for version in versions():
        said = _on(f"{line} {KERNEL} {_dotted(version)}", ask)
        if said:
            told[version] = said
    return _changes(told)


def _on(line: str, ask: Ask) -> str | None:
    """What one kernel does, whatever its tick; None: it has no such setting."""
    try:
        made = [ask(f"{line} --hz {hz}") for hz in TICKS]
    except SettingError:
        return None
    ends = [each.gives_up for each in made if each.gives_up is not None]
    if not ends:
        return "for ever"
    if not max(ends):
        return "at once"
    least, most = seconds_text(min(ends)), seconds_text(max(ends))
    text = least if least == most else f"{least} to {most}, by the length of the kernel's tick"
    sooner = [each.sooner for each in made if each.sooner is not None]
    return f"{text} (from {seconds_text(min(sooner))} on where timers are late)" if sooner else text


def _changes(told: Mapping[_Version, str]) -> str:
    """What the newest kernel does, and since when; what older ones do."""
    parts: list[str] = []
    for version in sorted(told, reverse=True):
        newer = min((each for each in told if each > version), default=None)
        if newer is None:
            parts.append(told[version])
        elif told[version] != told[newer]:
            parts.append(f"{told[version]} before Linux {_dotted(newer)}")
    if told and OLDEST not in told:
        parts.append(f"from Linux {_dotted(min(told))} on")
    return "; ".join(parts)


def seconds_text(seconds: float) -> str:
    """A length as people say it: ``0.2 s``, ``131 s``, ``15 min 29 s``, ``2 h 11 min 15 s``."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < MINUTES:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    parts = (hours, "h"), (rest // 60, "min"), (rest % 60, "s")
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _dotted(version: _Version) -> str:
    return ".".join(map(str, version))


NEWEST = _dotted(Kernel().version)
"""The newest kernel that the predictor knows something of."""
