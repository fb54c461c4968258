"""What a lab is for whoever is in it: names, files, settings, quiet; and how it ends."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sockstates import ESTABLISHED, Host, HostGone, Lab, LabError, Sandbox, open_lab
from sockstates.evidence.verdicts import Inconclusive
from sockstates.record.events import NANOSECONDS, ClockStepped, FramesLost, Step, SysctlSet

SIDE_BY_SIDE = 20
RESOLVE = (
    "import socket, sys\n"
    "for name in sys.argv[1:]: print(name, sorted({each[4][0] for each in "
    "socket.getaddrinfo(name, 1)}))"
)


@pytest.fixture
def both_families(sandbox: Sandbox) -> Iterator[Lab]:
    with open_lab(sandbox, families=("ipv4", "ipv6")) as lab:
        yield lab


def test_the_wire_is_quiet_when_nobody_does_anything(both_families: Lab) -> None:
    lab = both_families
    lab.pump_until(lambda: any(lab.timeline.frames.values()), 1.0)
    lab.settle()
    assert not any(lab.timeline.frames.values()), "not one frame of any protocol"


@pytest.mark.parametrize("command", ["getent", "python"])
def test_names_resolve_by_family(client: Host, server: Host, command: str) -> None:
    words = {
        "getent": ["getent", "ahosts", "server"],
        "python": [sys.executable, "-c", RESOLVE, "server"],
    }
    program = client.start(words[command])
    program.ends(0)
    text = program.output.decode()
    assert server.address in text
    other = server.address_of("ipv4" if server.lab.family == "ipv6" else "ipv6")
    assert other not in text


@pytest.mark.programs("curl")
def test_names_resolve_in_a_program_of_c(client: Host, server: Host) -> None:
    listener = server.listen(port=80)
    program = client.start("curl --silent --max-time 20 http://server/")
    program.connects(listener).client.reaches(ESTABLISHED)
    program.kill()


def test_a_host_has_its_own_name_processes_and_interfaces(client: Host) -> None:
    program = client.start(
        [
            "sh",
            "-c",
            "hostname; uname -n; echo $$; ls /sys/class/net; echo /proc/[1-9]*",
        ]
    )
    program.ends(0)
    name, also, pid, *rest = program.output.decode().split()
    assert name == also == "client"
    assert int(pid) == program.pid < 100
    assert rest[:2] == ["eth0", "lo"]
    assert {"/proc/1", f"/proc/{pid}"} <= set(rest[2:])
    assert len(rest[2:]) <= 4, "the agent, the shell and what it runs"


def test_settings_are_pinned_and_on_record(lab: Lab) -> None:
    settings = lab.settings["client"]
    assert settings["net.ipv4.tcp_congestion_control"] == "reno"
    assert settings["net.ipv4.tcp_fin_timeout"] == "60"
    assert lab.settings["server"] == settings
    for name, value in settings.items():
        assert lab["client"].sysctl(name) == value


def test_a_sysctl_is_set_shown_and_recorded(lab: Lab, client: Host, server: Host) -> None:
    assert client.sysctl("net.ipv4.tcp_syn_retries") == "6"
    assert client.sysctl("ipv4.tcp_syn_retries", 2) == "2"
    assert server.sysctl("net.ipv4.tcp_syn_retries") == "6"
    assert lab.settings["client"]["net.ipv4.tcp_syn_retries"] == "2"
    changes = [each for each in lab.timeline.events if isinstance(each, SysctlSet)]
    assert [(each.host, each.value, each.before) for each in changes] == [("client", "2", "6")]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("net.ipv4.no_such_thing", 1, "client: a host has no sysctl net.ipv4.no_such_thing"),
        ("net.ipv4.tcp_syn_retries", "many", "net.ipv4.tcp_syn_retries cannot be set to 'many'"),
    ],
)
def test_a_sysctl_that_cannot_be_set_is_refused_by_name(
    client: Host, name: str, value: int | str, why: str
) -> None:
    with pytest.raises(LabError, match=why):
        client.sysctl(name, value)


def test_steps_are_on_record(lab: Lab) -> None:
    lab.step("First this.")
    lab.step("Then that.")
    steps = [each for each in lab.timeline.events if isinstance(each, Step)]
    assert [each.text for each in steps] == ["First this.", "Then that."]
    assert steps[0].time <= steps[1].time


def test_an_unknown_host_is_named_with_the_known_ones(lab: Lab) -> None:
    with pytest.raises(
        LabError, match=r"no host 'gateway' in this lab\. Its hosts are client, server"
    ):
        lab["gateway"]


def test_labs_side_by_side_keep_their_evidence_apart(sandbox: Sandbox) -> None:
    with ExitStack() as stack:
        labs = [stack.enter_context(open_lab(sandbox)) for _ in range(SIDE_BY_SIDE)]
        made = [lab["client"].connect(lab["server"].listen(port=5000)) for lab in labs]
        for connection in made:
            connection.client.reaches(ESTABLISHED)
            connection.server.reaches(ESTABLISHED)
        for number, connection in enumerate(made):
            connection.client.send(b"%d" % number)
        for number, connection in enumerate(made):
            connection.server.receives(b"%d" % number)
        addresses = {host.address for lab in labs for host in lab.hosts.values()}
        assert len(addresses) == 2 * SIDE_BY_SIDE
        for lab in labs:
            lab.settle()
            own = {host.address for host in lab.hosts.values()}
            assert {each.source.ip for each in lab.timeline.wire} == own
            assert {key[1].ip for key in lab.timeline.endpoints()} <= own | {"0.0.0.0"}


def test_every_end_of_a_cable_works_when_the_lab_is_ready(sandbox: Sandbox) -> None:
    """An end that came up before its peer throws frames away until the kernel has noticed."""
    for hosts in [("client", "server"), ("client", "server", "third")] * 5:
        with open_lab(sandbox, hosts=hosts) as lab:
            seen = {name: _operating(host) for name, host in lab.hosts.items()}
            assert set(seen.values()) == {"up"}, seen


def _operating(host: Host) -> str:
    """What the kernel says of the host's interface, as the host's own /sys shows it."""
    return Path(f"/proc/{host.pid}/root/sys/class/net/eth0/operstate").read_text().strip()


def test_a_lab_that_is_closed_is_gone(sandbox: Sandbox) -> None:
    with open_lab(sandbox) as lab:
        agents = [os.pidfd_open(host.pid) for host in lab.hosts.values()]
    for agent in agents:
        with pytest.raises(ProcessLookupError):
            signal.pidfd_send_signal(agent, 0)
        os.close(agent)


def test_a_host_that_dies_is_missed_at_once(sandbox: Sandbox) -> None:
    with open_lab(sandbox) as lab:
        client, server = lab["client"], lab["server"]
        client.connect(server.listen()).server.reaches(ESTABLISHED)
        lab.settle()
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(HostGone, match="host 'server' did not answer"):
            server.sysctl("net.ipv4.tcp_syn_retries")
        assert client.sysctl("net.ipv4.tcp_syn_retries") == "6", "the other one lives"
        assert len(lab.timeline.frames["server"]) >= 3, "and its evidence is there"


def test_a_host_that_dies_while_it_is_waited_for(sandbox: Sandbox) -> None:
    with open_lab(sandbox) as lab:
        os.kill(lab["server"].pid, signal.SIGKILL)
        with pytest.raises(HostGone, match="host 'server' did not answer"):
            lab["client"].connect(lab["server"], 80).server.reaches(ESTABLISHED, seconds=600)
        assert lab.seconds_since(lab.origin) < 300, "at once, not at the deadline"


def test_a_host_that_died_is_missed_at_the_end(sandbox: Sandbox) -> None:
    with open_lab(sandbox) as lab:
        os.kill(lab["server"].pid, signal.SIGKILL)
        with pytest.raises(HostGone, match="host 'server' did not answer"):
            lab.finish()
        with pytest.raises(HostGone):
            lab.finish()


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (FramesLost(0, "client", 3), "capture on client lost 3 frames"),
        (ClockStepped(0, "client", NANOSECONDS), r"clock was set by \+1.000 s"),
    ],
)
def test_evidence_with_a_hole_decides_nothing(
    sandbox: Sandbox, event: FramesLost | ClockStepped, words: str
) -> None:
    with open_lab(sandbox) as lab:
        lab.finish()
        lab.timeline.add(event)
        with pytest.raises(Inconclusive, match=words):
            lab.finish()


def test_no_host_shares_the_network_of_this_process(lab: Lab) -> None:
    own = os.stat("/proc/self/ns/net").st_ino
    others = {os.stat(f"/proc/{host.pid}/ns/net").st_ino for host in lab.hosts.values()}
    assert len(others) == len(lab.hosts)
    assert own not in others


def test_when_the_sandbox_was_ended_the_next_lab_lives_in_a_new_one() -> None:
    sandbox = Sandbox()
    try:
        with open_lab(sandbox) as lab:
            os.kill(sandbox.pid, signal.SIGKILL)
            with pytest.raises(HostGone):
                lab.wait_until(lambda: False, "the end of its hosts", 30.0)
        with open_lab(sandbox) as lab:
            lab["client"].listen()
    finally:
        sandbox.close()
