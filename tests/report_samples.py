"""Timelines and results for the report's tests, made by hand: what a lab would have recorded."""

from dataclasses import replace
from pathlib import Path

from sockstates.record.events import CallBegan, CallEnded, RuleChanged, SocketSeen, Step, SysctlSet
from sockstates.record.kernel_events import StateChanged
from sockstates.record.timeline import EndpointKey, Timeline
from sockstates.report.html.results import Result, write_result
from sockstates.tcp.segment import Address
from sockstates.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT1,
    FIN_WAIT2,
    LISTEN,
    SYN_RECV,
    SYN_SENT,
    TIME_WAIT,
    State,
)
from tests.recorded import START, Written, at, empty_timeline, sends

CLIENT, SERVER = ("10.0.0.1", 43210), ("10.0.0.2", 16868)
HERE, THERE = Address(*CLIENT), Address(*SERVER)
RULE = "-A INPUT -s server -j DROP"
RUN = "this-run"


def key(host: str) -> EndpointKey:
    """The connection's endpoint on this host."""
    return (host, HERE, THERE) if host == "client" else (host, THERE, HERE)


def sampled(seconds: float, host: str, state: State, before: float = 0.004) -> SocketSeen:
    """A sample that shows a state first, `before` seconds after one that did not."""
    return SocketSeen(at(seconds), *key(host), state, not_before=at(seconds - before))


def traced(seconds: float, host: str, before: State, after: State) -> StateChanged:
    """The kernel's own word for a change."""
    return StateChanged(at(seconds), *key(host), before, after)


def handshake(timeline: Timeline) -> None:
    """Three segments within a tenth of a millisecond."""
    sends(timeline, 0.001000, CLIENT, SERVER, Written("S", 1000))
    sends(timeline, 0.001020, SERVER, CLIENT, Written("S.", 5000, 1001))
    sends(timeline, 0.001050, CLIENT, SERVER, Written(".", 1001, 5001))


def sampled_story() -> Timeline:
    """A FIN that gets lost twice, as samples alone show it."""
    made = empty_timeline()
    made.title = "FIN_WAIT1: nobody acknowledges the server's FIN."
    made.add(Step(at(0), "A connection is established."))
    listening = Address("0.0.0.0", SERVER[1])
    made.add(SocketSeen(at(0.0005), "server", listening, None, LISTEN, not_before=at(0)))
    made.add(CallBegan(at(0.0009), "client", 1, "connect", "10.0.0.2 port 16868"))
    handshake(made)
    made.add(CallEnded(at(0.0012), "client", 1, "connect"))
    made.add(sampled(0.004, "client", ESTABLISHED))
    made.add(sampled(0.005, "server", ESTABLISHED))
    made.add(SysctlSet(at(0.3), "client", "net.ipv4.tcp_retries2", "8", "15"))
    made.add(RuleChanged(at(0.5), "client", RULE, "applied"))
    made.add(Step(at(0.6), "The server closes, and nobody acknowledges its FIN. " * 3))
    made.add(CallBegan(at(0.69), "server", 2, "close"))
    made.add(CallEnded(at(0.6901), "server", 2, "close"))
    for seconds in (0.7, 0.9, 1.3):
        sends(made, seconds, SERVER, CLIENT, Written("F.", 5001, 1001), seen_at=())
    made.add(sampled(0.71, "server", FIN_WAIT1))
    made.add(Step(at(9), "The rule goes."))
    made.add(RuleChanged(at(9.1), "client", RULE, "deleted", 3, 156))
    sends(made, 9.3, SERVER, CLIENT, Written("F.", 5001, 1001))
    sends(made, 9.30004, CLIENT, SERVER, Written(".", 1001, 5002))
    made.add(sampled(9.304, "client", CLOSE_WAIT))
    made.add(sampled(9.305, "server", FIN_WAIT2))
    made.sampled |= {"client": at(9.5), "server": at(9.5)}
    return made


def traced_story() -> Timeline:
    """The same connection as the kernel's tracepoint tells it, closed on both sides at last."""
    made = empty_timeline("router")
    made.title = 'A title with <b>markup</b> & "quotes".'
    made.add(Step(at(0), "A connection is opened."))
    handshake(made)
    for seconds, host, before, after in (
        (0.00099, "client", CLOSED, SYN_SENT),
        (0.00103, "client", SYN_SENT, ESTABLISHED),
        (0.00106, "server", SYN_RECV, ESTABLISHED),
        (0.2, "client", ESTABLISHED, FIN_WAIT1),
        (0.20002, "server", ESTABLISHED, CLOSE_WAIT),
        (0.20005, "client", FIN_WAIT1, FIN_WAIT2),
        (0.30002, "client", FIN_WAIT2, CLOSED),
    ):
        made.add(traced(seconds, host, before, after))
    made.add(sampled(0.004, "client", ESTABLISHED))
    made.add(sampled(0.00104, "server", SYN_RECV, before=0.0009))
    sends(made, 0.20001, CLIENT, SERVER, Written("F.", 1001, 5001), seen_at=("router", "router"))
    sends(made, 0.20003, SERVER, CLIENT, Written(".", 5001, 1002))
    sends(made, 0.3, SERVER, CLIENT, Written("F.", 5001, 1002))
    sends(made, 0.30004, CLIENT, SERVER, Written(".", 1002, 5002))
    made.add(sampled(0.304, "client", TIME_WAIT))
    made.sampled |= {"client": at(0.4), "server": at(0.4)}
    return made


def crossing_story() -> Timeline:
    """Three connections of which two are open at once, and segments that cross each other."""
    made = empty_timeline()
    made.title = "Several connections at once."
    made.add(Step(at(0), "Both ends of each send at once."))
    for number in range(3):
        client = ("10.0.0.1", 40000 + number)
        for place in range(4):
            seconds = 0.01 * number + 0.00001 * (place // 2)
            ends = (client, SERVER) if place % 2 else (SERVER, client)
            payload = b"x" * 1400
            sends(made, seconds, *ends, Written("P.", 9 + 1400 * place, 9, payload))
        made.add(CallBegan(at(0.01 * number), "client", number, "recv", "a detail " * 20))
        made.add(CallEnded(at(0.01 * number + 0.005), "client", number, "recv", error=104))
        local = Address(*client)
        seen = SocketSeen(at(0.01 * number + 0.001), "client", local, THERE, ESTABLISHED)
        made.add(seen)
        made.add(replace(seen, host="server", local=THERE, remote=local))
    made.sampled |= {"client": at(0.1), "server": at(0.1)}
    return made


def long_story(segments: int) -> Timeline:
    """A transfer of very many segments, some of them twice, with calls all the way."""
    made = empty_timeline()
    made.title = f"{segments} segments"
    made.add(Step(at(0), "A transfer."))
    handshake(made)
    for number in range(segments):
        sequence = 1001 + 100 * (number - (number % 500 == 499))
        data = Written("P.", sequence, 5001, b"y" * 100)
        sends(made, 0.01 + number * 0.0005, CLIENT, SERVER, data)
        if number % 2:
            made.add(CallBegan(at(0.01 + number * 0.0005), "client", number, "send", "100 bytes"))
            made.add(CallEnded(at(0.0101 + number * 0.0005), "client", number, "send", result=100))
    made.add(sampled(0.004, "client", ESTABLISHED))
    return made


def result_of(timeline: Timeline, number: int = 0, run: str = RUN) -> Result:
    """A result as a run would have written it."""
    return Result(
        run=run,
        name=f"scenarios/test_it.py::test_{number}[ipv4]",
        title=timeline.title,
        folder=f"scenarios-test_it-test_{number}-ipv4",
        verdict=("passed", "failed", "inconclusive", "error")[number % 4],
        seconds=0.1 + (number * 7 % 50),
        when=START + number,
        family="ipv4",
        claims=(f"T{number % 9 + 1}", "H2"),
        states=("client ESTABLISHED", "server FIN_WAIT1" if number % 2 else "server LISTEN"),
        phenomena=(str(number + 2),) if number % 3 else (),
        symptom=("", "hangs", "connect hangs")[number % 3],
        message="ExpectationFailed: it was not so\n\n  expected  this" if number % 4 else "",
        page=True,
    )


def write_many(base: Path, count: int) -> list[Result]:
    """So many results below a folder, and what they are."""
    timeline = empty_timeline()
    results = [result_of(timeline, number) for number in range(count)]
    for result in results:
        write_result(result, base)
    return results
