"""What Linux's timers are made of: their constants, and how exactly they run out.

Pure. Nominal times; a kernel timer is never early by its own count, and may be late by the
granularity of its timer wheel. `early` and `late` say what that is on a wall clock, in this one
place. What follows from a host's settings is in `sockstates.tcp.limits`.
"""

from __future__ import annotations

INITIAL_RTO = 1.0
"""TCP_TIMEOUT_INIT; RFC 6298, section 2.1."""
MINIMUM_RTO = 0.2
"""TCP_RTO_MIN, also of a FIN on a path without delay; HZ / 5."""
LONGEST_RTO = 120.0
"""TCP_RTO_MAX."""
DELAYED_ACK, LONGEST_DELAYED_ACK = 0.04, 0.2
"""TCP_DELACK_MIN and TCP_DELACK_MAX: how long an acknowledgement waits for data to go with, on a
path without delay, and at most (tcp_send_delayed_ack() in net/ipv4/tcp_output.c)."""
TIME_WAIT_LENGTH = 60.0
"""TCP_TIMEWAIT_LEN: compiled in, not tcp_fin_timeout."""
WHEEL_SHARE = 8
"""A level of the timer wheel is an eighth of what it spans (kernel/time/timer.c)."""
TICK = 0.01
"""The longest tick of a usual kernel (HZ=100), in seconds."""


def late(seconds: float, tick: float = TICK) -> float:
    """The latest moment at which a timer of this length runs out: an eighth and two ticks more.

    tick: seconds, where the kernel's HZ is known.
    """
    return seconds * (1 + 1 / WHEEL_SHARE) + 2 * tick


def early(seconds: float, tick: float = TICK) -> float:
    """The earliest moment, on a wall clock, at which a timer of this length runs out.

    The wheel counts ticks and is never early by them, but the ticks themselves can come late: when
    the CPU that counts them is held up (in a virtual machine: not running), a timer is armed on a
    count that is behind, and ends that much early. Seen: 0.85 ms; the count was seen to be behind
    by a tick or two on a busy machine (CLOCK_MONOTONIC less CLOCK_MONOTONIC_COARSE).
    """
    return max(0.0, seconds - 2 * tick)


def lengths_of(seen: float, tick: float = TICK) -> tuple[float, float]:
    """The shortest and the longest timer (seconds) that can have run out after `seen` seconds.

    What `late` and `early` say, the other way round.
    """
    return max(0.0, (seen - 2 * tick) / (1 + 1 / WHEEL_SHARE)), seen + 2 * tick


def first_rto(round_trip: float) -> float:
    """How long it takes to send again what nobody acknowledges, after one measured round trip.

    RFC 6298, section 2.2, with Linux's floor under the variance alone (tcp_rtt_estimator() and
    __tcp_set_rto() in net/ipv4/tcp_input.c). Seconds. A tail loss probe comes no sooner while the
    round trip takes no longer than half of the floor (tcp_schedule_loss_probe()).
    """
    return round_trip + max(MINIMUM_RTO, 2 * round_trip)
