"""What a Linux stack repeats into silence, and when it gives up: its timers, tick by tick.

Pure. Each function follows one timer of the kernel's with its own variables; the names in brackets
are the kernel's (net/ipv4/tcp_timer.c unless another file is named). Time is counted in ticks
(jiffies), because it is in ticks that the kernel rounds, compares and gives up.

Timers are nominal: none of them late. But what is given up by elapsed time is given up the sooner
the later the timers before were, so every function takes `stretch`, how long a timer of a nominal
length may take, and counts elapsed time with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sockstates.tcp.kernel import Kernel
from sockstates.tcp.kernel_settings import value_of
from sockstates.tcp.timers import LONGEST_RTO, MINIMUM_RTO, TIME_WAIT_LENGTH

Stretch = Callable[[int], int]

LONGEST_LINGER2 = 120
"""TCP_FIN_TIMEOUT_MAX: what a longer TCP_LINGER2 is cut to, in seconds."""
THIN_REPETITIONS = 6
"""TCP_THIN_LINEAR_RETRIES."""
ORPHAN_RETRIES = 8
"""What tcp_orphan_retries of 0 stands for while the RTO has not reached its longest."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a stack knows when silence begins.

    orphan: no program has the socket any more (SOCK_DEAD), or will not after `linger` seconds.
    round_trip: seconds that the handshake took; RTO and tail loss probe come from it.
    """

    kernel: Kernel = field(default_factory=Kernel)
    settings: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    orphan: bool = False
    round_trip: float = 0.0001

    def value(self, name: str) -> int:
        """A setting's value on this kernel."""
        return value_of(self.settings, name, self.kernel)

    def option(self, name: str) -> float:
        """An option's value, 0 where it is not set."""
        return self.options.get(name, 0)

    @property
    def longest_rto(self) -> int:
        """[tcp_rto_max()] in ticks."""
        milliseconds = self.option("TCP_RTO_MAX_MS") or self.value("tcp_rto_max_ms")
        return self.kernel.ticks(milliseconds / 1000)

    @property
    def shortest_rto(self) -> int:
        """[tcp_rto_min()] in ticks."""
        microseconds = self.option("TCP_RTO_MIN_US") or self.value("tcp_rto_min_us")
        return self.kernel.ticks(microseconds / 1e6)

    @property
    def first_rto(self) -> int:
        """[tcp_rtt_estimator(), __tcp_set_rto()] after one measured round trip, in ticks.

        RFC 6298, section 2.2, with Linux's floor under the variance alone.
        """
        floor = self.kernel.seconds(self.shortest_rto)
        rto = self.round_trip + max(floor, 2 * self.round_trip)
        return min(self.kernel.ticks(rto), self.longest_rto)

    @property
    def loss_probe(self) -> int | None:
        """[tcp_schedule_loss_probe()] after one segment, in ticks; None: there is none."""
        if self.value("tcp_early_retrans") not in (3, 4) or not self.value("tcp_sack"):
            return None
        floor = self.kernel.seconds(self.shortest_rto)
        return min(self.kernel.ticks(2 * self.round_trip + floor), self.first_rto)

    @property
    def user_timeout(self) -> int:
        """[icsk_user_timeout] in ticks; 0: none."""
        return self.kernel.ticks(self.option("TCP_USER_TIMEOUT") / 1000)

    def orphan_retries(self, *, alive: bool) -> int:
        """[tcp_orphan_retries()]."""
        return self.value("tcp_orphan_retries") or (ORPHAN_RETRIES if alive else 0)


@dataclass(slots=True)
class Course:
    """How it went: the ticks of each repetition, and of giving up."""

    stretch: Stretch
    nominal: int = 0
    clock: int = 0
    moments: list[int] = field(default_factory=list)

    def wait(self, ticks: int) -> None:
        """A timer of so many ticks runs out."""
        self.nominal += ticks
        self.clock += self.stretch(ticks)

    def repeat(self) -> None:
        """It is sent again, now."""
        self.moments.append(self.nominal)


def model_timeout(situation: Situation, retries: int, base: float) -> int:
    """[tcp_model_timeout()]: what so many doublings of `base` seconds take, in ticks."""
    first, longest = situation.kernel.whole_ticks(base), situation.longest_rto
    doublings = (longest // first).bit_length() - 1
    if retries <= doublings:
        return ((2 << retries) - 1) * first
    return ((2 << doublings) - 1) * first + (retries - doublings) * longest


def syn(situation: Situation, stretch: Stretch) -> Course:
    """A SYN that nobody answers [tcp_retransmit_timer(), tcp_write_timeout() in SYN_SENT].

    The first tcp_syn_linear_timeouts gaps are one RTO (since Linux 6.5), then each doubles. Given
    up is by the count of repetitions, or by the time that tcp_syn_retries doublings would take.
    """
    course = Course(stretch)
    linear = situation.value("tcp_syn_linear_timeouts")
    retries = int(situation.option("TCP_SYNCNT") or situation.value("tcp_syn_retries"))
    limit = situation.user_timeout or model_timeout(situation, retries, 1.0)
    rto = gap = min(situation.kernel.hz, situation.longest_rto)
    while True:
        course.wait(gap)
        sent = len(course.moments)
        if sent >= retries + linear or (sent and course.clock >= limit):
            return course
        course.repeat()
        if sent + 1 > linear:
            rto = min(2 * rto, situation.longest_rto)
        gap = _clamped(situation, rto, course.clock)


def synack(situation: Situation, stretch: Stretch) -> Course:
    """A SYN-ACK that nobody acknowledges: doubling gaps, given up by count.

    [reqsk_timer_handler(), syn_ack_recalc() in net/ipv4/inet_connection_sock.c]
    With TCP_DEFER_ACCEPT: acknowledged, but no data comes; silent until the deferral ends.
    """
    course = Course(stretch)
    retries = int(situation.option("TCP_SYNCNT") or situation.value("tcp_synack_retries"))
    deferred = deferred_timeouts(situation.option("TCP_DEFER_ACCEPT"))
    timeouts = 0
    while True:
        course.wait(min(situation.kernel.hz << timeouts, situation.longest_rto))
        if timeouts >= max(retries, deferred):
            return course
        if timeouts >= deferred - 1:
            course.repeat()
        timeouts += 1


def deferred_timeouts(seconds: float) -> int:
    """[secs_to_retrans() in net/ipv4/tcp.c]: TCP_DEFER_ACCEPT as a number of timeouts."""
    number, period, timeout = 0, 0, 1
    while seconds > period and number < 255:
        number += 1
        period += timeout
        timeout = min(2 * timeout, int(LONGEST_RTO))
    return number


def unacknowledged(situation: Situation, stretch: Stretch, *, thin: bool = False) -> Course:
    """Data or a FIN in one segment that nobody acknowledges [tcp_retransmit_timer()].

    First comes the tail loss probe, then the RTO from there. Given up is by the time since the
    first RTO [retrans_stamp]: what tcp_retries2 doublings of 200 ms take, tcp_orphan_retries for an
    orphan, or TCP_USER_TIMEOUT. An orphan whose RTO has reached the longest has no retries by
    default.
    thin: data of an established connection, which tcp_thin_linear_timeouts is about.
    """
    course = Course(stretch)
    rto = first = situation.first_rto
    probe = situation.loss_probe
    if probe is not None:
        course.wait(probe)
        course.repeat()
    started, repeated, gap = 0, 0, rto
    while True:
        course.wait(gap)
        if repeated and course.clock - started >= _limit(situation, course, rto):
            return course
        course.repeat()
        repeated += 1
        started = started or course.clock
        linear = thin and repeated <= THIN_REPETITIONS
        rto = first if linear else min(2 * rto, situation.longest_rto)
        gap = _clamped(situation, rto, course.clock - started)


def _limit(situation: Situation, course: Course, rto: int) -> int:
    """[tcp_write_timeout()]: ticks after which a repetition is the last."""
    if situation.user_timeout:
        return situation.user_timeout
    retries = situation.value("tcp_retries2")
    if _is_orphan(situation, course):
        retries = situation.orphan_retries(alive=rto < situation.longest_rto)
    return model_timeout(situation, retries, MINIMUM_RTO)


def _is_orphan(situation: Situation, course: Course) -> bool:
    """close(2) with SO_LINGER keeps the socket from being one for so long [sock_orphan()]."""
    linger = situation.kernel.ticks(situation.option("SO_LINGER"))
    return situation.orphan and course.clock >= linger


def _clamped(situation: Situation, rto: int, elapsed: int) -> int:
    """[tcp_clamp_rto_to_user_timeout()]."""
    timeout = situation.user_timeout
    return min(rto, max(1, timeout - elapsed)) if timeout else rto


def window_probe(situation: Situation, stretch: Stretch) -> Course:
    """A closed window whose probes nobody answers [tcp_probe_timer(), tcp_send_probe0()].

    Given up is by the count of probes, tcp_retries2 of them, tcp_orphan_retries for an orphan; or
    by TCP_USER_TIMEOUT, counted from the first probe.
    """
    course = Course(stretch)
    kernel, longest = situation.kernel, situation.longest_rto
    base = max(situation.first_rto, kernel.whole_ticks(MINIMUM_RTO))
    most = (kernel.whole_ticks(LONGEST_RTO) // kernel.whole_ticks(MINIMUM_RTO)).bit_length()
    retries, backoff, started, gap = situation.value("tcp_retries2"), 0, 0, base
    while True:
        course.wait(gap)
        timed_out = started and situation.user_timeout
        if timed_out and course.clock - started >= situation.user_timeout:
            return course
        started = started or course.clock
        probes = retries
        if _is_orphan(situation, course):
            alive = min(base << backoff, longest) < longest
            probes = situation.orphan_retries(alive=alive)
            if not alive and backoff >= probes:
                return course
        if len(course.moments) >= probes:
            return course
        course.repeat()
        backoff += backoff < retries
        gap = min(base << min(backoff, most), longest)
        if situation.user_timeout:
            left = situation.user_timeout - (course.clock - started)
            gap = min(gap, max(left, 2))


def keepalive(situation: Situation, stretch: Stretch) -> Course:
    """An idle connection with SO_KEEPALIVE whose peer is gone [tcp_keepalive_timer()].

    Given up after so many probes; with TCP_USER_TIMEOUT by the time since the peer was heard.
    """
    course, kernel = Course(stretch), situation.kernel
    idle = situation.option("TCP_KEEPIDLE") or situation.value("tcp_keepalive_time")
    interval = situation.option("TCP_KEEPINTVL") or situation.value("tcp_keepalive_intvl")
    probes = int(situation.option("TCP_KEEPCNT") or situation.value("tcp_keepalive_probes"))
    course.wait(max(1, kernel.ticks(idle)))
    while True:
        sent = len(course.moments)
        timed_out = sent and course.clock >= situation.user_timeout
        if timed_out if situation.user_timeout else sent >= probes:
            return course
        course.repeat()
        course.wait(max(1, kernel.ticks(interval)))


def fin_wait2(situation: Situation, stretch: Stretch) -> Course:
    """An orphan whose peer never closes [tcp_fin_time() in include/net/tcp.h, tcp_close()].

    Above a minute the kernel waits twice, each time for what is above the minute: first with the
    socket, then with a small one that stands for it [tcp_keepalive_timer(), tcp_time_wait()]. So
    tcp_fin_timeout of 70 makes 20 s, and only from 120 on is it longer than a minute.
    """
    course, kernel = Course(stretch), situation.kernel
    shortest = 4 * situation.first_rto - situation.first_rto // 2
    wished = min(situation.option("TCP_LINGER2"), LONGEST_LINGER2)
    whole = max(kernel.ticks(wished or situation.value("tcp_fin_timeout")), shortest)
    minute = kernel.ticks(TIME_WAIT_LENGTH)
    if whole <= minute:
        course.wait(whole)
        return course
    course.wait(whole - minute)
    course.wait(max(whole - minute, shortest))
    return course


def time_wait(situation: Situation, stretch: Stretch) -> Course:
    """TIME_WAIT: TCP_TIMEWAIT_LEN (include/net/tcp.h), compiled in; it is not tcp_fin_timeout."""
    course = Course(stretch)
    course.wait(situation.kernel.ticks(TIME_WAIT_LENGTH))
    return course
