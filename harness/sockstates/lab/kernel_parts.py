"""What ``pytest.mark.kernel`` can name, and who says of a lab's kernel that it lacks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from platform import release

from sockstates.lab.lab import Lab
from sockstates.lab.link import lacking_netem
from sockstates.lab.rule import lacking_nat

_VERSION = re.compile(r"(\d+)\.(\d+)")


def lacking_setting(name: str) -> Callable[[Lab], str]:
    """Says of a lab whether its hosts lack a setting that every lab writes where it is."""

    def lacking(lab: Lab) -> str:
        lacks = any(name not in settings for settings in lab.settings.values())
        return f"Linux {release()} has no setting {name}" if lacks else ""

    return lacking


def lacking_before(version: str, because: str) -> Callable[[Lab], str]:
    """Says of a lab whether its kernel is older, for what no setting tells of."""

    def lacking(_: Lab) -> str:
        return too_old(release(), version, because)

    return lacking


def too_old(running: str, version: str, because: str) -> str:
    """Why a release (``6.12.117``) is too old; empty where it is not. ValueError: not a release."""
    if version_order(running) >= version_order(version):
        return ""
    return f"Linux {running} is older than {version}: {because}"


def version_order(text: str) -> tuple[int, int]:
    """What to sort a release by: its first two numbers. ValueError where it has none."""
    found = _VERSION.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a kernel release")
    return int(found[1]), int(found[2])


KERNEL_PARTS: Mapping[str, Callable[[Lab], str]] = {
    "nat": lacking_nat,
    "netem": lacking_netem,
    "netem_seed": lacking_before(
        "6.6", "its netem takes no seed, so what is lost is another each time"
    ),
    "tcp_rto_max_ms": lacking_setting("net.ipv4.tcp_rto_max_ms"),
    "tcp_syn_linear_timeouts": lacking_setting("net.ipv4.tcp_syn_linear_timeouts"),
    "unsent_challenged": lacking_before(
        "6.18",
        "an acknowledgement of what was never sent is dropped there and not answered, as "
        "tcp_ack() of 6.1 and 6.12 does",
    ),
}
"""What a kernel can lack, and who says so of a lab's."""
