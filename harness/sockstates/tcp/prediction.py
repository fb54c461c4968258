"""What a Linux stack does with silence: when it repeats what, when it gives up, with which errno.

Pure: settings, options and a version in; moments out. Nothing here is a table of numbers: the
kernel's own timers are followed (`sockstates.tcp.silence`), and runs in virtual kernels are held
against them, see tests/test_predictions.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sockstates.tcp import silence
from sockstates.tcp.kernel_settings import OPTIONS
from sockstates.tcp.silence import Course, Situation, Stretch
from sockstates.tcp.timers import TICK, late


class UnknownKind(ValueError):
    """A word that names none of the timers."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that silence can be the answer to.

    errno: what the program gets when it is given up; empty: no program has the socket any more.
    settings: what changes it, bare names and options.
    """

    name: str
    title: str
    repeats: str
    follow: Callable[[Situation, Stretch], Course]
    errno: str
    sources: str
    settings: tuple[str, ...]


def _data(situation: Situation, stretch: Stretch) -> Course:
    return silence.unacknowledged(situation, stretch, thin=_thin(situation))


def _thin(situation: Situation) -> bool:
    option = situation.option("TCP_THIN_LINEAR_TIMEOUTS")
    return bool(option or situation.value("tcp_thin_linear_timeouts"))


_RTO = ("tcp_rto_min_us", "tcp_rto_max_ms", "TCP_RTO_MIN_US", "TCP_RTO_MAX_MS")
_PROBE = ("tcp_early_retrans", "tcp_sack")
KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "syn",
            "connect(2): a SYN that nobody answers",
            "SYN",
            silence.syn,
            "ETIMEDOUT",
            "RFC 6298, section 2.1; tcp_syn_retries; tcp_write_timeout()",
            (
                *("tcp_syn_retries", "tcp_syn_linear_timeouts", "tcp_rto_max_ms"),
                *("TCP_SYNCNT", "TCP_USER_TIMEOUT", "TCP_RTO_MAX_MS", "SO_SNDTIMEO"),
            ),
        ),
        Kind(
            "synack",
            "the server's SYN-ACK that nobody acknowledges",
            "SYN-ACK",
            silence.synack,
            "",
            "RFC 9293, section 3.10.7; tcp_synack_retries; reqsk_timer_handler()",
            (
                *("tcp_synack_retries", "tcp_rto_max_ms"),
                *("TCP_SYNCNT", "TCP_DEFER_ACCEPT", "TCP_RTO_MAX_MS"),
            ),
        ),
        Kind(
            "data",
            "data of an established connection that nobody acknowledges",
            "data",
            _data,
            "ETIMEDOUT",
            "RFC 6298, section 5; RFC 8985, section 7; tcp_retries2; tcp_write_timeout()",
            (
                *("tcp_retries2", *_RTO, *_PROBE, "tcp_thin_linear_timeouts"),
                *("TCP_USER_TIMEOUT", "TCP_THIN_LINEAR_TIMEOUTS"),
            ),
        ),
        Kind(
            "probe",
            "a closed window whose probes nobody answers",
            "window probe",
            silence.window_probe,
            "ETIMEDOUT",
            "RFC 9293, section 3.8.6.1; tcp_retries2; tcp_probe_timer()",
            ("tcp_retries2", "tcp_orphan_retries", *_RTO, "TCP_USER_TIMEOUT"),
        ),
        Kind(
            "keepalive",
            "an idle connection with SO_KEEPALIVE whose peer is gone",
            "keepalive probe",
            silence.keepalive,
            "ETIMEDOUT",
            "RFC 9293, section 3.8.4; tcp_keepalive_time; tcp_keepalive_timer()",
            (
                *("tcp_keepalive_time", "tcp_keepalive_intvl", "tcp_keepalive_probes"),
                *("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"),
            ),
        ),
        Kind(
            "fin",
            "the FIN of a closed socket that nobody acknowledges",
            "FIN",
            silence.unacknowledged,
            "",
            "RFC 9293, section 3.6; tcp_orphan_retries; tcp_write_timeout()",
            ("tcp_orphan_retries", "tcp_retries2", *_RTO, *_PROBE, "TCP_USER_TIMEOUT", "SO_LINGER"),
        ),
        Kind(
            "fin-wait2",
            "a closed socket whose peer never closes",
            "",
            silence.fin_wait2,
            "",
            "RFC 9293, section 3.6 (no limit there); tcp_fin_timeout; tcp_fin_time()",
            ("tcp_fin_timeout", "tcp_max_tw_buckets", "TCP_LINGER2"),
        ),
        Kind(
            "time-wait",
            "the end that closed first, afterwards",
            "",
            silence.time_wait,
            "",
            "RFC 9293, section 3.4.2 (2 MSL there); TCP_TIMEWAIT_LEN; tcp_time_wait()",
            ("tcp_max_tw_buckets",),
        ),
    )
}
ORPHANED = ("fin", "fin-wait2")
"""What follows close(2): no program has the socket, unless it is said that one does."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What will happen, in seconds since silence began (the first transmission, the last answer).

    moments: when it is sent again, each time; not the first time.
    gives_up: None: never. errno: empty: nobody is there to be told.
    sooner: the earliest moment where timers that are late, as each may be, let the time run out
    with fewer repetitions; None: they do not.
    timed_from: which moment of `schedule` TCP_USER_TIMEOUT is counted from; None: it ends nothing.
    remarks: what else the program should know, in sentences.
    """

    kind: Kind
    moments: tuple[float, ...]
    gives_up: float | None
    errno: str
    sooner: float | None = None
    timed_from: int | None = None
    remarks: tuple[str, ...] = ()

    @property
    def schedule(self) -> tuple[float, ...]:
        """0, every repetition, and last the giving up, where there is one."""
        end = () if self.gives_up is None else (self.gives_up,)
        return (0.0, *self.moments, *end)


def predict(kind: str, situation: Situation) -> Prediction:
    """What a stack in this situation does. Raises UnknownKind."""
    known = kind_of(kind)
    made = _predict(known, situation)
    return replace(made, remarks=(*made.remarks, *_strangers(known, situation)))


def kind_of(name: str) -> Kind:
    """The kind of this name; UnknownKind tells all of them."""
    try:
        return KINDS[name]
    except KeyError:
        raise UnknownKind(f"{name!r} is none of {', '.join(KINDS)}") from None


def _predict(known: Kind, situation: Situation) -> Prediction:
    kind = known.name
    special = _SPECIAL[kind](known, situation) if kind in _SPECIAL else None
    if special is not None:
        return special
    course = known.follow(situation, lambda ticks: ticks)
    held_up = known.follow(situation, lambda ticks: _latest(situation, ticks))
    ends = (*course.moments, course.nominal)
    repeated = len(held_up.moments)
    sooner = None
    if repeated < len(course.moments) and not situation.user_timeout:
        sooner = situation.kernel.seconds(ends[repeated])
    moments = tuple(situation.kernel.seconds(each) for each in course.moments)
    end = situation.kernel.seconds(course.nominal)
    errno = "" if situation.orphan or kind in ORPHANED else known.errno
    if kind == "fin" and not situation.orphan:
        errno = "ETIMEDOUT"
    timed_from = _timed_from(kind, situation) if situation.user_timeout else None
    made = Prediction(known, moments, end, errno, sooner, timed_from)
    return _as_program_sees(made, situation)


def _timed_from(kind: str, situation: Situation) -> int | None:
    """[retrans_stamp, icsk_probes_tstamp]: the first SYN, RTO or probe."""
    first_rto = 1 if situation.loss_probe is None else 2
    return {"syn": 0, "data": first_rto, "fin": first_rto, "probe": 1}.get(kind)


def _latest(situation: Situation, ticks: int) -> int:
    seconds = late(situation.kernel.seconds(ticks), min(TICK, 1 / situation.kernel.hz))
    return situation.kernel.ticks(seconds)


def _strangers(kind: Kind, situation: Situation) -> tuple[str, ...]:
    """Options that have nothing to do with it, each in a sentence."""
    return tuple(
        f"{name} changes nothing here"
        for name in situation.options
        if kind.name not in OPTIONS[name].kinds
    )


def _no_time_wait(kind: Kind, situation: Situation) -> Prediction | None:
    if situation.value("tcp_max_tw_buckets"):
        return None
    remark = "tcp_max_tw_buckets is 0: no socket is kept, it is CLOSED at once"
    return Prediction(kind, (), 0.0, "", remarks=(remark,))


def _fin_wait2(kind: Kind, situation: Situation) -> Prediction | None:
    if not situation.orphan:
        remark = "a program still has the socket: FIN_WAIT2 has no limit"
        return Prediction(kind, (), None, "", remarks=(remark,))
    if situation.option("TCP_LINGER2") < 0:
        remark = "TCP_LINGER2 is below 0: no FIN_WAIT2, a reset instead"
        return Prediction(kind, (), 0.0, "", remarks=(remark,))
    return _no_time_wait(kind, situation)


def _fin(kind: Kind, situation: Situation) -> Prediction | None:
    if situation.options.get("SO_LINGER") != 0:
        return None
    return Prediction(kind, (), 0.0, "", remarks=("SO_LINGER is 0: no FIN, a reset instead",))


_SPECIAL: Mapping[str, Callable[[Kind, Situation], Prediction | None]] = {
    "fin": _fin,
    "fin-wait2": _fin_wait2,
    "time-wait": _no_time_wait,
}


def _as_program_sees(made: Prediction, situation: Situation) -> Prediction:
    """The same with what options of the calls alone change for the program."""
    patience = situation.option("SO_SNDTIMEO")
    linger = situation.option("SO_LINGER")
    end = made.gives_up
    remarks: list[str] = []
    if situation.option("TCP_DEFER_ACCEPT"):
        remarks.append(
            "the handshake is complete, and no data comes; where the peer is still there, it "
            "acknowledges the first of these SYN-ACKs, and accept(2) gets the connection then"
        )
    if linger and end is not None:
        remarks.append(f"close(2) returns after {min(linger, end):g} s; it tells no error")
    if patience and made.kind.name in ("data", "probe"):
        remarks.append(f"send(2) on a full buffer returns after {patience:g} s: EAGAIN")
    if not patience or end is None or made.kind.name != "syn" or patience >= end:
        return replace(made, remarks=tuple(remarks))
    remark = f"the kernel goes on until {end:g} s, if the program keeps the socket"
    sent = tuple(each for each in made.moments if each <= patience)
    return Prediction(made.kind, sent, patience, "EINPROGRESS", remarks=(remark,))
