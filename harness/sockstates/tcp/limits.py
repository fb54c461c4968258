"""How long Linux lets a connection be when its peer is silent: from its settings, never a wish.

Pure: settings in, seconds out. Where a round trip, an option or HZ would be needed to know exactly,
these are bounds; `sockstates.tcp.prediction` is exact, and what it says is said here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sockstates.tcp.kernel import OLDEST, Kernel
from sockstates.tcp.kernel_settings import IPV4, SETTINGS
from sockstates.tcp.prediction import predict
from sockstates.tcp.silence import Situation, model_timeout
from sockstates.tcp.states import State
from sockstates.tcp.timers import MINIMUM_RTO, TIME_WAIT_LENGTH

REPEATING = (State.FIN_WAIT1, State.LAST_ACK, State.CLOSING)
"""States that end when what is repeated, a FIN, is acknowledged or given up."""

DEFAULTS: Mapping[str, int] = {
    **{
        IPV4 + name: known.default if known.before is None else known.before
        for name, known in SETTINGS.items()
    },
    "net.ipv4.tcp_tw_reuse_delay": 1000,
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


def setting(settings: Mapping[str, str], name: str) -> int:
    """A numeric sysctl out of `settings`, or what a kernel without it does."""
    full = name if name.startswith("net.") else f"net.ipv4.{name}"
    return int(settings.get(full, DEFAULTS[full]))


def _situation(settings: Mapping[str, str], *, orphan: bool = False) -> Situation:
    """The kernel is one that has the settings that are given."""
    newer = [each.since for name, each in SETTINGS.items() if IPV4 + name in settings]
    return Situation(Kernel(max([OLDEST, *newer])), settings, {}, orphan)


def _lasts(kind: str, settings: Mapping[str, str], *, orphan: bool = False) -> float:
    end = predict(kind, _situation(settings, orphan=orphan)).gives_up
    return float("inf") if end is None else end


def syn_schedule(settings: Mapping[str, str]) -> tuple[float, ...]:
    """When a SYN is sent (seconds from the first), and last, when connect(2) gives up."""
    return predict("syn", _situation(settings)).schedule


def synack_schedule(settings: Mapping[str, str]) -> tuple[float, ...]:
    """When a SYN-ACK is sent (seconds from the first), and last, when the server forgets."""
    return predict("synack", _situation(settings)).schedule


def retransmission_limit(settings: Mapping[str, str], *, orphan: bool) -> float:
    """How long unacknowledged data or a FIN is repeated, at least, before it is given up.

    The time that tcp_retries2 (of an orphan: tcp_orphan_retries) doublings of the shortest RTO
    take, counted from the first repetition.
    """
    situation = _situation(settings, orphan=orphan)
    retries = situation.value("tcp_retries2")
    if orphan:
        retries = situation.orphan_retries(alive=True)
    return situation.kernel.seconds(model_timeout(situation, retries, MINIMUM_RTO))


def longest_unacknowledged(settings: Mapping[str, str], *, orphan: bool) -> float:
    """How long it is repeated at most: until the first timer that finds the limit used up.

    The tail loss probe and the first repetition take an RTO each before the time is counted
    (retransmits_timed_out() in net/ipv4/tcp_timer.c). The next timer after the limit comes a gap
    later at the latest, and no gap is longer than all before it together, nor than the longest RTO.
    """
    limit = retransmission_limit(settings, orphan=orphan)
    longest = _situation(settings).value("tcp_rto_max_ms") / 1000
    before = 2 * MINIMUM_RTO
    return before + limit + min(before + limit, longest)


def keepalive_limit(settings: Mapping[str, str]) -> float:
    """How long a connection with SO_KEEPALIVE is idle before a silent peer is given up.

    Options of the socket (TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT) are not known here.
    """
    return _lasts("keepalive", settings)


def fin_wait2_length(settings: Mapping[str, str]) -> float:
    """How long an orphan waits for its peer's FIN, which does not come."""
    return _lasts("fin-wait2", settings, orphan=True)


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
