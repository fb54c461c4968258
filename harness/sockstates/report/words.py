"""Events in words, one line each, as the timeline and the ladder say them."""

from __future__ import annotations

import errno
import os
import signal

from sockstates.evidence.expectations import endpoint_text, owner_text
from sockstates.record.events import (
    NANOSECONDS,
    CallBegan,
    CallEnded,
    CaptureChosen,
    ClockStepped,
    CounterRead,
    Event,
    Figure,
    FramesLost,
    HostReady,
    ProcessSeen,
    ProgramEnded,
    ProgramStarted,
    ProgramWrote,
    RuleChanged,
    SegmentCrafted,
    SocketSeen,
    Step,
    SysctlSet,
)
from sockstates.record.timeline import Timeline
from sockstates.report.clock import duration, since_start
from sockstates.report.kernel_words import kernel_event_text
from sockstates.tcp.socket_options import arguments_text
from sockstates.tcp.states import State

LONGEST_VALUE = 60
"""Of a call's result or a line of output; the rest is left out and said to be."""


def rule_text(event: RuleChanged) -> str:
    """``iptables -A INPUT -s server -j DROP: deleted, 3 packets``; a fault of a wire as it is."""
    text = f"iptables {event.line}" if event.line.lstrip().startswith("-") else event.line
    if event.change == "applied":
        return text
    counted = f"{event.packets} packet{'' if event.packets == 1 else 's'}"
    return f"{text}: {'so far' if event.change == 'counted' else f'{event.change},'} {counted}"


def shortened(rule: str, room: int) -> str:
    """A rule in so many characters: what it does to a packet is the last that goes.

    ``-A INPUT -p tcp ... -j REJECT``.
    """
    if len(rule) <= room:
        return rule
    start, target, action = rule.partition(" -j ")
    tail = f"...{target}{action}"
    if not target or len(tail) >= room:
        return f"{(f'-j {action}' if target else rule)[: max(room - 3, 0)]}..."
    return f"{start[: room - len(tail)]}{tail}"


def action(stopped_by: str) -> str:
    """What a rule, a policy or a fault of a wire does, in a word: ``DROP``, ``hold``."""
    words = stopped_by.split()
    if "-j" in words[:-1]:
        return words[words.index("-j") + 1]
    if stopped_by.startswith("-P"):
        return words[-1]
    return stopped_by if len(words) < 3 else words[0].rstrip(":")


def sysctl_text(event: SysctlSet) -> str:
    """``net.ipv4.tcp_retries2 = 8 (was 15)``."""
    before = f" (was {event.before})" if event.before else ""
    return f"{event.name} = {event.value}{before}"


def error_text(number: int) -> str:
    """``ECONNRESET (Connection reset by peer)``."""
    return f"{errno.errorcode.get(number, number)} ({os.strerror(number)})"


def timer_text(timeline: Timeline, seen: SocketSeen) -> str:
    """Which timer runs and when it is due; empty without a timer.

    A sample that finds it due at another moment is recorded: so it was at the last look, too.
    """
    if not seen.timer:
        return ""
    text = f"{seen.timer} timer"
    if seen.timer_expires is not None:
        text += f" due at {since_start(timeline, seen.time + seen.timer_expires):.3f} s"
    return text


def endpoint_seen_text(timeline: Timeline, seen: SocketSeen) -> str:
    """State, owner, queues and timer of an endpoint."""
    who = endpoint_text(timeline, (seen.host, seen.local, seen.remote))
    parts = [str(seen.state)]
    if seen.state is not State.CLOSED:
        parts.append(f"owner {owner_text(seen.owner)}")
        if seen.state is State.LISTEN and seen.send_queue is not None:
            parts.append(f"backlog {seen.send_queue}, {seen.receive_queue} to accept")
        elif seen.send_queue is not None:
            parts.append(f"queues {seen.send_queue} to send, {seen.receive_queue} to read")
        if seen.timer:
            parts.append(timer_text(timeline, seen))
        if seen.retransmits:
            parts.append(f"{seen.retransmits} retransmissions")
    return f"{who} is {', '.join(parts)}"


def value_text(value: object) -> str:
    """A value in one line of reasonable length."""
    text = repr(value)
    if len(text) <= LONGEST_VALUE:
        return text
    size = f" ({len(value)} bytes)" if isinstance(value, bytes) else ""
    return f"{text[:LONGEST_VALUE]}...{size}"


def _call_detail(event: CallBegan) -> str:
    if event.name in ("setsockopt", "getsockopt"):
        return arguments_text(event.detail)
    return event.detail


def _call_ended_text(timeline: Timeline, event: CallEnded, began: CallBegan | None) -> str:
    after = f" after {duration((event.time - began.time) / NANOSECONDS)}" if began else ""
    if event.error:
        return f"{event.name}() failed{after}: {error_text(event.error)}"
    if event.result is None:
        return f"{event.name}() returned{after}"
    return f"{event.name}() returned {_result_text(timeline, event.result)}{after}"


def _result_text(timeline: Timeline, result: object) -> str:
    match result:  # accept(2): the number of the new socket and the peer
        case (int(number), (str(ip), int(port), *_)):
            return f"socket {number}, from {timeline.names.host(ip)}.{port}"
        case _:
            return value_text(result)


def _program_ended_text(event: ProgramEnded) -> str:
    how = f"with exit status {event.status}"
    if event.status < 0:
        how = f"by {signal.Signals(-event.status).name}"
    left = f"; processes {', '.join(map(str, event.left))} go on" if event.left else ""
    return f"program {event.program} ended {how}{left}"


def _wrote_text(event: ProgramWrote) -> str:
    text = event.data.decode(errors="replace").rstrip("\n")
    lines = text.split("\n")
    more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
    if event.cut:
        more += " (it wrote more, which was not kept)"
    return f"program {event.program} {event.stream}: {lines[0].rstrip()}{more}"


def event_text(timeline: Timeline, event: Event, began: dict[int, CallBegan]) -> str:
    """What happened, without time and host. `began`: calls by their number."""
    match event:
        case SocketSeen():
            text = endpoint_seen_text(timeline, event)
        case ProcessSeen():
            text = f"process {event.pid} calls itself {' '.join(event.command)}"
        case CallBegan():
            text = f"{event.name}({_call_detail(event)})"
        case CallEnded():
            text = _call_ended_text(timeline, event, began.get(event.call))
        case ProgramStarted():
            text = f"program {event.program} is process {event.pid}: {' '.join(event.command)}"
        case ProgramWrote():
            text = _wrote_text(event)
        case ProgramEnded():
            text = _program_ended_text(event)
        case Step() | Figure():
            figure = isinstance(event, Figure)
            text = f"figure: {'; '.join(event.text.splitlines())}" if figure else event.text
        case SegmentCrafted():
            text = f"crafted: {event.text}"
        case CounterRead():
            text = f"counter {event.name} is {event.value}"
        case (
            RuleChanged()
            | SysctlSet()
            | CaptureChosen()
            | FramesLost()
            | ClockStepped()
            | HostReady()
        ):
            text = circumstance_text(event)
        case _:
            text = kernel_event_text(timeline.names, event)
    return text


def capture_text(event: CaptureChosen) -> str:
    """The scenario's own capture, with what it asked for."""
    ended = f", with {event.frames} frames" if event.change == "ended" else ""
    return (
        f"capture {event.number} {event.change}{ended}: interface {event.interface}, direction "
        f"{event.direction}, filter {event.expression!r}"
    )


def circumstance_text(
    event: RuleChanged | SysctlSet | CaptureChosen | FramesLost | ClockStepped | HostReady,
) -> str:
    """What happened to the scenario, a host, or the evidence itself."""
    match event:
        case RuleChanged():
            text = rule_text(event)
        case SysctlSet():
            text = sysctl_text(event)
        case CaptureChosen():
            text = capture_text(event)
        case FramesLost():
            whose = "A CHOSEN CAPTURE" if event.chosen else "THE CAPTURE"
            whose = "A FULL WIRE" if event.on_the_way else whose
            text = f"{whose} LOST {event.count} FRAMES"
        case ClockStepped():
            seconds = event.nanoseconds / NANOSECONDS
            text = f"THE CLOCK WAS SET by {seconds:+.6f} s"
        case HostReady():
            text = f"is up; network namespace {event.namespace}"
    return text
