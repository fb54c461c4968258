"""What each witness says of an endpoint, in words: the explanations of judgements over time.

Pure. Each explanation has what was expected beside what was seen, every witness by itself, and what
would help where the evidence cannot decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sockstates.evidence.durations import Lasted, Limits
from sockstates.evidence.expectations import endpoint_text, labelled
from sockstates.evidence.passages import EXACT, Pattern, Stage, sampled_stages, stages
from sockstates.evidence.waited import waited_text
from sockstates.record.events import NANOSECONDS
from sockstates.record.kernel_events import WitnessJoined
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.tcp.inference import infer_states
from sockstates.tcp.notation import format_segment
from sockstates.tcp.segment import Segment
from sockstates.tcp.states import State

MOST_SHOWN: Final = 8
TRACEPOINTS: Final = "tracepoints"
NOT_THERE: Final = "it needs root; sockstates doctor says more"


@dataclass(frozen=True, slots=True)
class Sought:
    """What an expectation is about: an endpoint of a timeline, seconds waited, times' beginning."""

    timeline: Timeline
    key: EndpointKey
    waited: float
    origin: int

    @property
    def who(self) -> str:
        """The endpoint, as people read it."""
        return endpoint_text(self.timeline, self.key)

    def clock(self, moment: int) -> str:
        """A moment in seconds since the beginning."""
        return f"{(moment - self.origin) / NANOSECONDS:.3f}"


def pattern_text(pattern: Pattern) -> str:
    """``FIN_WAIT1, ..., TIME_WAIT``."""
    return ", ".join(str(each) if isinstance(each, State) else "..." for each in pattern)


def explain_passage(sought: Sought, pattern: Pattern, *, possible: bool) -> str:
    """The order that was expected beside the one that was seen."""
    what = (
        "may have passed through this unseen, or not"
        if possible
        else f"did not pass through this within {waited_text(sought.waited)}"
    )
    lines = [f"{sought.who} {what}", "", *labelled("expected", pattern_text(pattern))]
    return "\n".join(lines + _testimony(sought) + (_advice(sought) if possible else []))


def explain_duration(
    sought: Sought, state: State, limits: Limits, lasted: Lasted | None, *, undecided: bool
) -> str:
    """How long it should have been beside how long it was, as far as that is known."""
    seen = f"{state} for {lasted}" if lasted else f"never seen in {state}"
    lines = [
        f"{sought.who} was {'perhaps ' if undecided else ''}not in {state} for as long as expected",
        "",
        *labelled("expected", f"{state} for {limits}"),
        *labelled("seen", seen),
    ]
    if undecided and lasted and lasted.least > limits.most:
        text = "a timer this late may be a wrong one, or one of a machine with other work to do"
        return "\n".join([*lines, *labelled("undecided", text), *_testimony(sought)])
    return "\n".join(lines + _testimony(sought) + (_advice(sought) if undecided else []))


def explain_absence(sought: Sought, state: State, *, certain: bool) -> str:
    """The state that should not have been, and what was seen."""
    word = "was" if certain else "may have been"
    lines = [f"{sought.who} {word} {state}", "", *labelled("expected", f"never {state}")]
    return "\n".join(lines + _testimony(sought) + ([] if certain else _advice(sought)))


def explain_order(
    sought: Sought,
    state: State,
    order: tuple[str, str | Segment],
    *,
    segment: Segment | None,
    stage: Stage | None,
    undecided: bool,
) -> str:
    """A state and a segment, and when each of them came; `order`: ``after`` or ``before`` which."""
    names = sought.timeline.names
    word, wanted = order

    def line(each: Segment) -> str:
        return format_segment(each, lambda end: names.host(end.ip))

    text = line(wanted) if isinstance(wanted, Segment) else wanted.strip()
    captured = f"at {sought.clock(segment.time)} s, {line(segment)}" if segment else "never"
    lines = [
        f"{sought.who}: whether {state} began only {word} this segment is not known"
        if undecided
        else f"{sought.who} did not enter {state} {word} this segment",
        "",
        *labelled("expected", f"{state} {word} {text}"),
        *labelled("captured", captured),
        *labelled("entered", _moment(sought, stage) if stage else "never"),
    ]
    return "\n".join(lines + _testimony(sought) + (_advice(sought) if undecided else []))


def _moment(sought: Sought, stage: Stage) -> str:
    earliest, latest = stage.began
    if earliest == latest:
        return f"at {sought.clock(latest)} s, says the {stage.witness}"
    since = f"after {sought.clock(earliest)} s, " if earliest else ""
    return f"{since}at {sought.clock(latest)} s at the latest"


def _testimony(sought: Sought) -> list[str]:
    """A line for each witness."""
    timeline, key = sought.timeline, sought.key
    exact = [stage for stage in stages(timeline, key) if stage.witness == EXACT]
    if timeline.joined(TRACEPOINTS) or exact:
        text = _stages_text(sought, exact) or "did not report it"
        lines = labelled("kernel", text)
    else:
        lines = labelled("kernel", f"tracepoint not there: {_missing(timeline)}")
    sampled = _stages_text(sought, sampled_stages(timeline, key))
    lines += labelled("samples", sampled or "never saw it")
    inferred = _inferred_text(sought)
    return lines + (labelled("segments", inferred) if inferred else [])


def _stages_text(sought: Sought, seen: Sequence[Stage]) -> str:
    return _row(f"{sought.clock(stage.began[1])} {stage.state}" for stage in seen)


def _inferred_text(sought: Sought) -> str:
    """What the segments alone suggest: support for a reader, no part of the judgement."""
    host, local, remote = sought.key
    return _row(
        f"{sought.clock(each.time)} {each.after}{'' if each.certain else '?'}"
        for each in infer_states(sought.timeline.arrived[host], captured_at_host=True)
        if (each.local, each.remote) == (local, remote)
    )


def _row(parts: Iterable[str]) -> str:
    found = list(parts)
    earlier = ["…"] if len(found) > MOST_SHOWN else []
    return ", ".join(earlier + found[-MOST_SHOWN:])


def _missing(timeline: Timeline) -> str:
    reasons = [
        event.missing
        for event in timeline.events
        if isinstance(event, WitnessJoined) and event.witness == TRACEPOINTS and event.missing
    ]
    return reasons[-1] if reasons else NOT_THERE


def _advice(sought: Sought) -> list[str]:
    """What would decide it."""
    if sought.timeline.joined(TRACEPOINTS):
        text = "the tracepoint does not show this, and the samples are too far apart to tell"
    else:
        text = (
            "samples miss what lies between them; the kernel's tracepoint shows every change. "
            "Run as root, or allow it: unseen_allowed=True"
        )
    return labelled("because", text)
