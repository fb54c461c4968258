"""How long Linux's own timers let a connection be: from its settings, never from a wish.

Pure: settings in, seconds out. Nominal times; a kernel timer is never early by its own count, and
may be late by the granularity of its timer wheel. `early` and `late` say what that is on a wall
clock, in this one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from harness.tcp.states import State

INITIAL_RTO = 1.0
"""TCP_TIMEOUT_INIT; RFC 6298, section 2.1."""
MINIMUM_RTO = 0.2
"""TCP_RTO_MIN, also of a FIN on a path without delay."""
DELAYED_ACK, LONGEST_DELAYED_ACK = 0.04, 0.2
"""TCP_DELACK_MIN and TCP_DELACK_MAX: how long an acknowledgement waits for data to go with, on a
path without delay, and at most (tcp_send_delayed_ack() in net/ipv4/tcp_output.c)."""
TIME_WAIT_LENGTH = 60.0
"""TCP_TIMEWAIT_LEN: compiled in, not tcp_fin_timeout."""
REPEATING = (State.FIN_WAIT1, State.LAST_ACK, State.CLOSING)
"""States that end when what is repeated, a FIN, is acknowledged or given up."""
ORPHAN_RETRIES = 8
"""What tcp_orphan_retries of 0 stands for (tcp_orphan_retries() in net/ipv4/tcp_timer.c)."""
WHEEL_SHARE = 8
"""A level of the timer wheel is an eighth of what it spans (kernel/time/timer.c)."""
TICK = 0.01
"""The longest tick of a usual kernel (HZ=100), in seconds."""

DEFAULTS = {
    "net.ipv4.tcp_syn_retries": 6,
    "net.ipv4.tcp_synack_retries": 5,
    "net.ipv4.tcp_syn_linear_timeouts": 0,
    "net.ipv4.tcp_retries2": 15,
    "net.ipv4.tcp_orphan_retries": 0,
    "net.ipv4.tcp_fin_timeout": 60,
    "net.ipv4.tcp_rto_max_ms": 120000,
    "net.ipv4.tcp_tw_reuse_delay": 1000,
    "net.ipv4.tcp_keepalive_time": 7200,
    "net.ipv4.tcp_keepalive_intvl": 75,
    "net.ipv4.tcp_keepalive_probes": 9,
    "net.netfilter.nf_conntrack_tcp_timeout_syn_sent": 120,
    "net.netfilter.nf_conntrack_tcp_timeout_syn_recv": 60,
    "net.netfilter.nf_conntrack_tcp_timeout_established": 432000,
    "net.netfilter.nf_conntrack_tcp_timeout_fin_wait": 120,
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait": 60,
    "net.netfilter.nf_conntrack_tcp_timeout_last_ack": 30,
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": 120,
    "net.netfilter.nf_conntrack_tcp_timeout_close": 10,
}
"""What a kernel does that lacks the setting, or for which the setting is not known. Seconds, where
the name does not say otherwise or it counts repetitions (Documentation/networking/ip-sysctl.rst,
nf_conntrack-sysctl.rst)."""


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


def setting(settings: Mapping[str, str], name: str) -> int:
    """A numeric sysctl out of `settings`, or what a kernel without it does."""
    full = name if name.startswith("net.") else f"net.ipv4.{name}"
    return int(settings.get(full, DEFAULTS[full]))


def syn_schedule(settings: Mapping[str, str]) -> tuple[float, ...]:
    """When a SYN is sent (seconds from the first), and last, when connect(2) gives up.

    The first tcp_syn_linear_timeouts gaps are one RTO (since Linux 6.5), then each doubles. A timer
    gives up that finds tcp_syn_retries and tcp_syn_linear_timeouts together used up, or as much
    time gone as tcp_syn_retries doubling repetitions would have taken, whichever is first
    (tcp_write_timeout() in net/ipv4/tcp_timer.c): few retries cut the linear ones short.
    """
    linear = setting(settings, "tcp_syn_linear_timeouts")
    retries = setting(settings, "tcp_syn_retries")
    longest = setting(settings, "tcp_rto_max_ms") / 1000
    enough = sum(_doubled(number, longest) for number in range(retries + 1))
    moments = [0.0]
    for number in range(retries + linear + 1):
        moments.append(moments[-1] + _doubled(max(0, number - linear), longest))
        if moments[-1] >= enough:
            break
    return tuple(moments)


def _doubled(times: int, longest: float) -> float:
    """The first RTO, doubled so often, and never more than the longest."""
    return min(INITIAL_RTO * 2.0**times, longest)


def synack_schedule(settings: Mapping[str, str]) -> tuple[float, ...]:
    """When a SYN-ACK is sent (seconds from the first), and last, when the server forgets."""
    longest = setting(settings, "tcp_rto_max_ms") / 1000
    retries = setting(settings, "tcp_synack_retries")
    return _moments(_doubled(number, longest) for number in range(retries + 1))


def retransmission_limit(settings: Mapping[str, str], *, orphan: bool) -> float:
    """How long unacknowledged data or a FIN is repeated, at least, before it is given up.

    The time that tcp_retries2 (of an orphan: tcp_orphan_retries) doublings of the shortest RTO
    take: tcp_model_timeout() in net/ipv4/tcp_timer.c, counted from the first repetition.
    """
    longest = setting(settings, "tcp_rto_max_ms") / 1000
    retries = setting(settings, "tcp_orphan_retries") or ORPHAN_RETRIES
    if not orphan:
        retries = setting(settings, "tcp_retries2")
    return sum(min(MINIMUM_RTO * 2.0**number, longest) for number in range(retries + 1))


def longest_unacknowledged(settings: Mapping[str, str], *, orphan: bool) -> float:
    """How long it is repeated at most: until the first timer that finds the limit used up.

    The tail loss probe and the first repetition take an RTO each before the time is counted
    (retransmits_timed_out() in net/ipv4/tcp_timer.c). The next timer after the limit comes a gap
    later at the latest, and no gap is longer than all before it together, nor than the longest RTO.
    """
    limit = retransmission_limit(settings, orphan=orphan)
    before = 2 * MINIMUM_RTO
    return before + limit + min(before + limit, setting(settings, "tcp_rto_max_ms") / 1000)


def first_rto(round_trip: float) -> float:
    """How long it takes to send again what nobody acknowledges, after one measured round trip.

    RFC 6298, section 2.2, with Linux's floor under the variance alone (tcp_rtt_estimator() and
    __tcp_set_rto() in net/ipv4/tcp_input.c). Seconds. A tail loss probe comes no sooner while the
    round trip takes no longer than half of the floor (tcp_schedule_loss_probe()).
    """
    return round_trip + max(MINIMUM_RTO, 2 * round_trip)


def keepalive_limit(settings: Mapping[str, str]) -> float:
    """How long a connection with SO_KEEPALIVE is idle before a silent peer is given up.

    RFC 9293, section 3.8.4; tcp_keepalive_timer() in net/ipv4/tcp_timer.c. Options of the socket
    (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT) are not known here.
    """
    probes = setting(settings, "tcp_keepalive_probes")
    gap = setting(settings, "tcp_keepalive_intvl")
    return float(setting(settings, "tcp_keepalive_time") + probes * gap)


def fin_wait2_length(settings: Mapping[str, str]) -> float:
    """How long an orphan waits for its peer's FIN, which does not come; seconds.

    tcp_fin_timeout, and what is more than a minute twice: first the whole socket waits as long as
    tcp_fin_timeout is longer than TIME_WAIT, and then what is left of it in TIME_WAIT's place waits
    as long again (tcp_close() in net/ipv4/tcp.c, tcp_keepalive_timer() in net/ipv4/tcp_timer.c, up
    to Linux 7.3). No shorter than three and a half RTO (tcp_fin_time() in include/net/tcp.h).
    """
    wanted = float(setting(settings, "tcp_fin_timeout"))
    shortest = 3.5 * MINIMUM_RTO
    if wanted <= TIME_WAIT_LENGTH:
        return max(wanted, shortest)
    over = wanted - TIME_WAIT_LENGTH
    return over + max(over, shortest)


def reuse_delay(settings: Mapping[str, str]) -> float:
    """How long a TIME_WAIT is kept from a new connection of the same end; seconds.

    tcp_tw_reuse_delay (since Linux 6.14); before, until the clock's next whole second
    (tcp_twsk_unique() in net/ipv4/tcp_ipv4.c).
    """
    return setting(settings, "tcp_tw_reuse_delay") / 1000


def conntrack_limit(settings: Mapping[str, str], state: str) -> float:
    """How long connection tracking remembers a silent flow in one of its own states.

    tcp_timeouts[] in net/netfilter/nf_conntrack_proto_tcp.c; ESTABLISHED: five days. KeyError for
    a state that has no such setting.
    """
    return float(setting(settings, f"net.netfilter.nf_conntrack_tcp_timeout_{state.lower()}"))


def shortest_in(state: State, settings: Mapping[str, str], *, orphan: bool) -> float | None:
    """How long an endpoint is in `state` at least when its peer is silent; None: for ever.

    Seconds, nominal: `longest_in`, but where the kernel counts time and not repetitions.
    """
    if state in REPEATING:
        return retransmission_limit(settings, orphan=orphan)
    return longest_in(state, settings, orphan=orphan)


def longest_in(state: State, settings: Mapping[str, str], *, orphan: bool) -> float | None:
    """How long an endpoint can be in `state` when its peer is silent; None: for ever.

    Seconds, nominal. For FIN_WAIT2 this is an orphan's; with an owner it has no limit. Nor have
    ESTABLISHED and CLOSE_WAIT, unless something is unacknowledged: `longest_unacknowledged`.
    """
    if state is State.SYN_SENT:
        return syn_schedule(settings)[-1]
    if state is State.SYN_RECV:
        return synack_schedule(settings)[-1]
    if state in REPEATING:
        return longest_unacknowledged(settings, orphan=orphan)
    if state is State.FIN_WAIT2 and orphan:
        return fin_wait2_length(settings)
    return TIME_WAIT_LENGTH if state is State.TIME_WAIT else None


def _longest_of(name: str) -> Callable[[Mapping[str, str]], float]:
    """The setting itself, in seconds."""
    return lambda settings: float(setting(settings, name))


LONGEST_BY: Mapping[str, Callable[[Mapping[str, str]], float]] = {
    "net.ipv4.tcp_syn_retries": lambda settings: syn_schedule(settings)[-1],
    "net.ipv4.tcp_synack_retries": lambda settings: synack_schedule(settings)[-1],
    "net.ipv4.tcp_retries2": lambda settings: longest_unacknowledged(settings, orphan=False),
    "net.ipv4.tcp_orphan_retries": lambda settings: longest_unacknowledged(settings, orphan=True),
    "net.ipv4.tcp_fin_timeout": fin_wait2_length,
    "net.ipv4.tcp_keepalive_time": keepalive_limit,
    "net.ipv4.tcp_keepalive_intvl": keepalive_limit,
    "net.ipv4.tcp_keepalive_probes": keepalive_limit,
    **{name: _longest_of(name) for name in DEFAULTS if name.startswith("net.netfilter.")},
}
"""Settings that say how long a scenario has to wait, and for how long at most (seconds)."""


def _moments(gaps: Iterable[float]) -> tuple[float, ...]:
    moments = [0.0]
    for gap in gaps:
        moments.append(moments[-1] + gap)
    return tuple(moments)
