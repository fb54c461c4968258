"""A scenario's capture with a filter against tcpdump with the same filter, on the same host.

tcpdump runs beside ours while all kinds of frames pass; both must have kept the same octets.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from sockstates import Direction, FilteredCapture, Host, Lab, LabError, Program
from sockstates.captures.file import CaptureFile
from tests.probe_traffic import send

pytestmark = pytest.mark.programs("tcpdump", "ping")

PROTOCOLS = (
    *("", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "ether proto 0x88b5", "not tcp"),
    *("ip proto 47", "ip6 proto 17", r"ip proto \icmp", r"ether proto \arp", "ip or arp", "rarp"),
)
# Not here, because libpcaps differ: since 1.10.6 `ip multicast` ends at 239.255.255.255, and
# `portrange 5-x` is refused with another message. tcpdump has the machine's libpcap.
HOSTS = (
    *("host server", "src host client", "dst host server", "src client", "dst client"),
    *("host {server4}", "host {server6}", "src {client6}", "host 192.168.7.7", "not host server"),
    *("ether host 02:00:00:00:00:02", "ether src 02:00:00:00:00:01", "ether broadcast"),
    *("ether multicast", "ip broadcast", "arp host {server4}"),
    *("src host client and dst host server", "src or dst host server", "net 10.0.0.0/8"),
    *("dst net 192.168.0.0/16", "net 192.168.0.0 mask 255.255.0.0", "dst net fd00::/16", "net 10"),
)
PORTS = (
    *("port 80", "dst port 80", "src port 80", "tcp port 80", "udp port 53", "port http"),
    *("tcp dst port 8080", "portrange 50-100", "src portrange 1-100", "udp dst portrange 53-67"),
    *("not port 80", "port 53 or port 67", "tcp and not port 80", "udp src port 1234"),
    *("dst port 80 and host server", "icmp or udp port 9999", "tcp port 81 or 8080"),
)
OCTETS = (
    *("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[tcpflags] == tcp-syn", "tcp[13] = 18"),
    *("tcp[tcpflags] & tcp-urg != 0", "tcp[tcpflags] & tcp-rst != 0", "tcp[13] & 8 != 0"),
    *("tcp[tcpflags] = 0", "ip[8] < 64", "ip[6:2] & 0x1fff != 0", "ip[1] != 0", "ip[2:2] > 500"),
    *("icmp[icmptype] = icmp-echo", "icmp[0] = 0", "ip6[6] = 58", "ip6[53] & 2 != 0"),
    *("udp[4:2] > 20", "ether[0] & 1 != 0", "less 60", "greater 100", "len = 42", "len <= 74"),
    "tcp and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
)
COMBINED = (
    *("inbound", "outbound", "icmp and inbound", "tcp port 80 and outbound"),
    *("icmp and dst host {server4}", "icmp and dst {server4} and src {client4}", "!arp && !udp"),
    *("(tcp or udp) and not (port 80 or port 53)", "ip and not host {server4} || arp"),
    *("src host client and port 80", "ip6 and not icmp6", "tcp and (port 80 or port 81)"),
    *("host {server4} and (udp or icmp)", "not (tcp or ip6)"),
)
ON_ALL_INTERFACES = (
    *("", "tcp", "arp", "icmp or icmp6", "port 80", "dst port 80", "src host client", "port 8000"),
    *("inbound", "outbound", "greater 100", "less 60", "ip[8] < 64", "net 127.0.0.0/8", "host ::1"),
    *("ip6 and tcp", "icmp and dst host {server4}", "ip broadcast", "not port 80", "ifindex 1"),
    *("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "udp and outbound"),
)


ALWAYS = ("-Z", "root", "-U", "--immediate-mode", "-s", "2048", "-B", "4096")
"""Written at once, and no frame lost: with its usual length tcpdump's ring has room for eight."""


class Choice(NamedTuple):
    """What both are told."""

    expression: str
    direction: Direction = "inout"
    interface: str = "eth0"


CHOICES: dict[str, list[Choice]] = {
    "protocols": [Choice(each) for each in PROTOCOLS],
    "hosts": [Choice(each) for each in HOSTS],
    "ports": [Choice(each) for each in PORTS],
    "octets": [Choice(each) for each in OCTETS],
    "combined": [Choice(each) for each in COMBINED],
    "any": [Choice(each, interface="any") for each in ON_ALL_INTERFACES],
    "directions": [
        Choice(expression, direction, interface)
        for expression in ("", "tcp port 80", "icmp or icmp6")
        for direction in ("in", "out")
        for interface in ("eth0", "any", "lo")
    ],
}


def test_the_table_is_long_enough_to_judge_by() -> None:
    assert len({each for group in CHOICES.values() for each in group}) > 100


class Twins(NamedTuple):
    """Ours, tcpdump, and the file that it writes."""

    ours: FilteredCapture
    tcpdump: Program
    path: Path

    def theirs(self) -> list[tuple[bytes, int]]:
        return [(data, length) for _, _, data, length, _ in CaptureFile(self.path).records()]


def _begin(host: Host, choices: Sequence[Choice], folder: Path) -> list[Twins]:
    twins = []
    for number, (expression, direction, interface) in enumerate(choices):
        path = folder / f"{number}.pcap"
        options = f"-i {interface} -Q {direction} -w {path}".split()
        program = host.start(["tcpdump", *ALWAYS, *options, expression])
        program.prints("listening on")
        ours = host.capture(expression, direction=direction, interface=interface)
        twins.append(Twins(ours, program, path))
    return twins


def _with_addresses(choice: Choice, client: Host, server: Host) -> Choice:
    names = {
        f"{host.name}{family[-1]}": host.address_of(family)
        for host in (client, server)
        for family in ("ipv4", "ipv6")
    }
    return choice._replace(expression=choice.expression.format(**names))


def _end(twins: Twins, frames: int) -> None:
    """End tcpdump when it has written as many frames as we have, or will not write more."""
    lab = twins.tcpdump.host.lab
    lab.wait_until(lambda: len(twins.theirs()) >= frames, f"{twins.tcpdump} to write", None)
    twins.tcpdump.interrupt()
    twins.tcpdump.ends(0)
    twins.tcpdump.prints("\n0 packets dropped by kernel")


def _as_tcpdump_has_it(
    capture: FilteredCapture, frames: list[tuple[bytes, int]]
) -> list[Counter[tuple[bytes, int]]]:
    """What tcpdump may have kept: the same, or, where it does not see the way, all but the first.

    libpcap judges the first frame after a filter is set once more in the process, lest it came
    before the filter (pcap_setfilter_linux, blocks_to_filter_in_userland). There, on one
    interface, nothing tells which way a frame went, so `inbound` and `outbound` are false of it.
    """
    judged_twice = "bound" in capture.expression and capture.interface != "any"
    return [Counter(frames), *([Counter(frames[1:])] if judged_twice else [])]


@pytest.mark.parametrize("group", CHOICES)
def test_the_same_filter_keeps_the_same_frames(
    lab: Lab, client: Host, server: Host, group: str, tmp_path: Path
) -> None:
    choices = [_with_addresses(each, client, server) for each in CHOICES[group]]
    twins = _begin(client, choices, tmp_path)
    send(lab, client, server)
    kept = 0
    for each in twins:
        ours = [(frame.data, frame.length) for frame in each.ours.frames]
        _end(each, len(ours))
        assert Counter(each.theirs()) in _as_tcpdump_has_it(each.ours, ours), each.ours
        kept += len(ours)
    assert kept > 2 * len(choices), "a comparison of nothing with nothing proves nothing"


@pytest.mark.parametrize(
    "expression",
    [
        *("tcp prot 80", "port 80x", "((", "host nowhere-at-all", "ether host 02:00:00:00:00:0g"),
        *("port 70000", "tcp[13", "net 10.0.0.0/33", "icmp and and udp", "host", "arp port 80"),
    ],
)
@pytest.mark.families("ipv4")
def test_the_same_words_are_refused(lab: Lab, client: Host, expression: str) -> None:
    del lab
    program = client.start(["tcpdump", "-Z", "root", "-i", "eth0", expression])
    program.ends(1)
    reason = program.errors.decode().rpartition("tcpdump: ")[2].strip()
    with pytest.raises(LabError) as refusal:
        client.capture(expression, interface="eth0")
    assert str(refusal.value) == f"client: filter {expression!r}: {reason}"
