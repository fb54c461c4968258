"""Links: what they are asked for in words, what a kernel without netem answers, how it is undone.

What they do is shown by scenarios, inside a virtual kernel; here are kernels without netem too.
"""

import socket
import struct
from typing import Any

import pytest

from sockstates import SYN_SENT, Host, KernelLacks, Lab, LabError, Wire
from sockstates.evidence.held_back import holds_back
from sockstates.lab import link
from sockstates.record.events import SysctlSet
from sockstates.sandbox.agent import netem
from sockstates.sandbox.network import gate
from sockstates.sandbox.network.topology import plan
from sockstates.sandbox.protocol import Emulation
from sockstates.sandbox.witnesses.netlink_attributes import attributes
from sockstates.tcp.timers import MINIMUM_RTO, first_rto
from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
pytestmark = pytest.mark.families("ipv4")
TWO = ("client", "server")


@pytest.fixture
def bare(lab: Lab) -> Lab:
    """A lab whose kernel has no netem."""
    if not link.lacking_netem(lab):
        pytest.skip("this kernel was built with CONFIG_NET_SCH_NETEM: nothing is refused")
    return lab


@pytest.fixture
def emulating(lab: Lab) -> Lab:
    """A lab whose kernel has netem."""
    problem = link.lacking_netem(lab)
    if problem:
        pytest.skip(problem)
    return lab


@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ({}, r"what is the link to do\? Give delay=, loss= or rate="),
        ({"jitter": 0.1}, "what is the link to do"),
        ({"delay": 0}, "delay=0; it must be in seconds, more than 0"),
        ({"delay": -0.1}, "delay=-0.1; it must be in seconds, more than 0"),
        ({"delay": float("nan")}, "delay=nan; it must be in seconds"),
        ({"delay": 3600}, "less than an hour"),
        ({"delay": 0.1, "jitter": 0.2}, "jitter=0.2; it must be in seconds, .* at most delay=0.1"),
        ({"loss": 0.1, "jitter": 0.2}, "jitter=0.2; it varies a delay: give delay=, too"),
        ({"loss": -0.1}, "loss=-0.1; it must be a share, more than 0 and at most 1"),
        ({"loss": 30}, "loss=30; it must be a share, more than 0 and at most 1"),
        ({"rate": 0}, "rate=0; it must be in bits per second, 8 or more"),
        ({"rate": float("inf")}, "rate=inf; it must be in bits per second"),
        ({"delay": 0.1, "seed": 1}, "seed=1; it is for what is random"),
        (
            {"loss": 0.1, "seed": -1},
            "seed=-1; it must be a whole number from 0 to 18446744073709551615",
        ),
        ({"loss": 0.1, "seed": 0.5}, "seed=0.5; it must be a whole number"),
    ],
)
def test_nonsense_is_refused_by_name(lab: Lab, wish: dict[str, Any], problem: str) -> None:
    with pytest.raises(LabError, match=problem):
        lab.link(**wish)
    assert not holds_back(lab.timeline, "client")


@pytest.mark.parametrize(
    ("hosts", "wishes", "names", "ends"),
    [
        (TWO, {}, [], "client.eth0 server.eth0"),
        (TWO, {}, ["client", "server"], "client.eth0 server.eth0"),
        (TWO, {"wire": True}, [], "client.eth0 server.eth0"),
        (TWO, {"wire": True}, ["client"], "client.eth0 server.eth0"),
        (
            TWO,
            {"router": True},
            [],
            "client.eth0 router.to-client server.eth0 router.to-server",
        ),
        (TWO, {"router": True}, ["router", "server"], "server.eth0 router.to-server"),
        ((*TWO, "other"), {}, ["other"], "other.eth0 switch.port3"),
    ],
)
def test_which_cables(
    hosts: tuple[str, ...], wishes: dict[str, bool], names: list[str], ends: str
) -> None:
    found = link.ends_of(plan(hosts, number=1, **wishes), names)
    assert " ".join(f"{end.host}.{end.interface}" for end in found) == ends


@pytest.mark.parametrize("names", [["client", "server"], ["nobody"], ["client", "client"]])
def test_a_cable_that_is_not_there(names: list[str]) -> None:
    with pytest.raises(LabError) as error:
        link.ends_of(plan(TWO, router=True, number=1), names)
    assert str(error.value) == (
        f"lab.link: no cable lies between {' and '.join(names)}, only: "
        "client and router, server and router"
    )


def test_in_words() -> None:
    whole = Emulation(delay=0.05, jitter=0.01, loss=0.3, rate=1_500_000, seed=0)
    assert str(whole) == "delay 0.05 s, jitter 0.01 s, loss 0.3, rate 1500000 bit/s, seed 0"
    assert str(Emulation(loss=1)) == "loss 1"


def test_a_kernel_without_it_refuses_by_name_and_nothing_is_left(bare: Lab) -> None:
    patience = bare.deadlines.patience
    with pytest.raises(KernelLacks) as error:
        bare.link(delay=0.1)
    for word in ("netem", "CONFIG_NET_SCH_NETEM", "--lab-virtual", "wire.delay", "wire.drop"):
        assert word in str(error.value)
    assert not [each for each in bare.timeline.events if isinstance(each, SysctlSet)]
    assert bare.deadlines.patience == patience


def test_a_scenario_is_skipped_with_the_reason_even_where_all_is_required(
    bare: Lab, runs: Runs
) -> None:
    del bare
    runs.write(
        """
        @pytest.mark.kernel("netem")
        def test_slow(lab, client, server):
            lab.link(delay=0.1)

        def test_unmarked(lab, client, server):
            lab.link(delay=0.1)
        """
    )
    result = runs.run("--lab-require", "-rs")
    result.assert_outcomes(skipped=1, failed=1)
    result.stdout.fnmatch_lines(["E*KernelLacks: *", "SKIPPED*this kernel has no netem*"])


def test_a_part_that_no_kernel_has_is_refused(runs: Runs) -> None:
    runs.write(
        """
        @pytest.mark.kernel("nettem")
        def test_slow(lab, client, server):
            pass
        """
    )
    result = runs.run()
    result.stdout.fnmatch_lines(
        ["*'nettem' is none of nat, netem, *", '*pytest.mark.kernel("netem")*']
    )


def test_it_is_recorded_and_undone(emulating: Lab, client: Host) -> None:
    lab, patience = emulating, emulating.deadlines.patience
    made = lab.link(delay=0.05, jitter=0.01, loss=0.25, rate=10_000_000_000_000, seed=7)
    assert lab.deadlines.patience == pytest.approx(patience + 0.12)
    with pytest.raises(LabError, match="client's eth0 is a link already"):
        lab.link(client, rate=1000)
    assert made.lost == 0
    made.delete()
    assert lab.deadlines.patience == pytest.approx(patience)
    lab.link(rate=8).delete()
    told = [each for each in lab.timeline.events if isinstance(each, SysctlSet)]
    text = "delay 0.05 s, jitter 0.01 s, loss 0.25, rate 10000000000000 bit/s, seed 7"
    assert [(each.host, each.name, each.value) for each in told] == [
        (host, "eth0 netem", value)
        for value in (text, "none", "rate 8 bit/s", "none")
        for host in TWO
    ]


def test_what_it_loses_is_counted_and_in_no_capture(
    emulating: Lab, client: Host, server: Host
) -> None:
    made = emulating.link(loss=1)
    again = client.counter("TcpRetransSegs")
    client.connect(server.listen(port=80)).client.reaches(SYN_SENT)
    again.grows()
    emulating.never_sees("client > server: Flags [S]")
    assert made.lost > 1


def test_only_the_cable_that_was_named(emulating: Lab, router: Host, client: Host) -> None:
    emulating.link(client, router, delay=0.05)
    assert holds_back(emulating.timeline, "router")
    assert not holds_back(emulating.timeline, "server")


def test_a_wire_is_part_of_its_cable(emulating: Lab, wire: Wire) -> None:
    emulating.link(delay=0.05)
    assert not holds_back(emulating.timeline, wire.name)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The messages that would go to the kernel."""
    messages: list[bytes] = []
    monkeypatch.setattr(gate, "send_messages", messages.append)
    monkeypatch.setattr(socket, "if_nametoindex", lambda _: 7)
    return messages


def test_what_the_kernel_is_told(sent: list[bytes]) -> None:
    netem.begin("eth0", Emulation(0.05, 0.01, 0.5, 80_000_000_000, 9))
    message = sent[0]
    assert struct.unpack_from("=IH", message) == (len(message), 36)
    found = attributes(message[36:])
    assert found[1] == b"netem\0"
    assert struct.unpack_from("=6I", found[2])[1:3] == (1 << 20, 1 << 31)
    further = attributes(found[2][24:])
    assert {kind: int.from_bytes(value, "little") for kind, value in further.items()} == {
        6: 0xFFFFFFFF,
        8: 10_000_000_000,
        10: 50_000_000,
        11: 10_000_000,
        14: 9,
    }


def test_the_first_timeout_after_a_measured_round_trip() -> None:
    assert first_rto(0.0) == MINIMUM_RTO
    assert first_rto(0.1) == pytest.approx(0.3)
    assert first_rto(1.0) == pytest.approx(3.0)
