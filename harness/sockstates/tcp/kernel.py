"""Which Linux is spoken of, and how long its ticks are. Pure: a version in, numbers out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, floor

USUAL_HZ = 250
"""CONFIG_HZ of Debian's, Ubuntu's and many other kernels, and of our virtual ones."""


class UnknownKernel(ValueError):
    """A text that is no version of Linux, or one that nothing is known of."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A version of Linux, as (6, 12), and its HZ: ticks of the timer wheel a second."""

    version: tuple[int, int] = (6, 18)
    hz: int = USUAL_HZ

    @classmethod
    def of(cls, text: str, hz: int = USUAL_HZ) -> Kernel:
        """The kernel that a text such as 6.1 or 6.12.117-1-amd64 names.

        Raises UnknownKernel also for one before 6.1, whose timers were never held against a run.
        """
        found = re.match(r"(?:Linux )?v?(\d+)\.(\d+)(?![\d])", text)
        if not found:
            raise UnknownKernel(f"{text!r} is not a version of Linux; write it like 6.1 or 6.12")
        version = int(found[1]), int(found[2])
        if version < OLDEST:
            raise UnknownKernel(
                f"Linux {version[0]}.{version[1]} is older than all that was measured; "
                f"the oldest is {OLDEST[0]}.{OLDEST[1]}"
            )
        return cls(version, hz)

    def __str__(self) -> str:
        return f"Linux {self.version[0]}.{self.version[1]}"

    def ticks(self, seconds: float) -> int:
        """Jiffies that a timer of this length takes at least: rounded up (usecs_to_jiffies())."""
        return ceil(round(seconds * self.hz, 6))

    def whole_ticks(self, seconds: float) -> int:
        """The same rounded down, as the kernel's constants are: HZ / 5 of TCP_RTO_MIN."""
        return floor(round(seconds * self.hz, 6))

    def seconds(self, ticks: int) -> float:
        """How long so many jiffies are."""
        return ticks / self.hz


OLDEST = (6, 1)
"""The oldest kernel whose timers a run has shown."""
NEWEST = (7, 3)
"""The newest one."""
