"""Lines of iptables made from its grammar, by a seeded choice: valid, and meeting the probes. Pure.

Addresses, ports, flags and lengths are those that the probes of the judge have, so that rules
match some of them and not others. Random shares are 0 or 1, and limits refill once an hour at most:
what the rest of them let through is decided by chance and by the clock.
"""

import random
import socket
from collections.abc import Callable

from hypothesis import strategies as st

SOURCES = {4: ("10.0.0.1", "10.0.0.9", "10.0.1.1"), 6: ("fd00::1", "fd00::9", "fd00:0:0:1::1")}
TARGET = {4: "10.0.0.2", 6: "fd00::2"}
BEYOND = {4: "10.0.2.2", 6: "fd00:0:0:2::2"}
NETWORKS = {
    4: (
        "10.0.0.0/24",
        "10.0.0.0/255.255.254.0",
        "10.0.0.1/255.0.0.255",
        "10.0.1.1/32",
        "0.0.0.0/0",
    ),
    6: ("fd00::/64", "fd00::/62", "fd00::1/ffff::ffff", "fd00:0:0:1::1/128", "::/0"),
}
PORTS = ("80", "22", "443", "8080", "53", "0", "65535")
SERVICES = {"tcp": ("http", "domain"), "udp": ("domain",)}
RANGES = ("1:1023", "80:", ":79", "443:8080", "53:80", "0:65535")
REJECTS = {
    4: (
        "icmp-net-unreachable",
        "icmp-host-unreachable",
        "icmp-port-unreachable",
        "icmp-proto-unreachable",
        "icmp-net-prohibited",
        "icmp-host-prohibited",
        "icmp-admin-prohibited",
        "host-unreach",
    ),
    6: (
        "icmp6-no-route",
        "icmp6-adm-prohibited",
        "icmp6-addr-unreachable",
        "icmp6-port-unreachable",
        "icmp6-policy-fail",
        "icmp6-reject-route",
        "addr-unreach",
    ),
}
FLAG_NAMES = ("SYN", "ACK", "FIN", "RST", "URG", "PSH")
CHAINS = ("INPUT", "FORWARD", "OUTPUT")
STATE_NAMES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")


def generate(seed: int, count: int) -> list[str]:
    """Make that many lines; the same ones for the same seed."""
    chance = random.Random(seed)
    return [line(chance) for _ in range(count)]


def certainties() -> list[str]:
    """Make the lines that must not be left to chance: each reject type, and each sure share."""
    words = dict.fromkeys(word for family in (4, 6) for word in REJECTS[family])
    made = [f"-A INPUT -j REJECT --reject-with {word}" for word in words]
    made += [f"-A {chain} -p tcp -j REJECT --reject-with tcp-reset" for chain in CHAINS]
    shares = ("! --probability 0", "! --probability 1", "--probability 0", "--probability 1")
    return made + [f"-A INPUT -m statistic --mode random {share} -j DROP" for share in shares]


def lines() -> st.SearchStrategy[str]:
    """Give hypothesis the same grammar."""
    return st.randoms(use_true_random=False).map(line)


def line(chance: random.Random) -> str:
    """Make one ``-A`` line that at least one of iptables and ip6tables takes."""
    family = chance.choice((4, 6))
    chain = chance.choice(("INPUT", "INPUT", "FORWARD", "OUTPUT"))
    parts = _peers(chance, chain, family) + _interfaces(chance, chain)
    protocol = chance.choice(("tcp", "tcp", "tcp", "udp", "icmp", "other", ""))
    parts += _protocol(chance, protocol, family)
    chance.shuffle(parts)
    matches = [_transport(chance, protocol)] if protocol in ("tcp", "udp") else []
    makers = (_conntrack, _statistic, _limit, _length, _comment)
    matches += [maker(chance) for maker in makers if chance.random() < 0.2]
    chance.shuffle(matches)
    words = [chance.choice(("-A", "--append")), chain, *parts, *matches]
    return " ".join([*words, _target(chance, protocol, family, parts)]).replace("  ", " ").strip()


def _not(chance: random.Random) -> str:
    return "! " if chance.random() < 0.25 else ""


def _peers(chance: random.Random, chain: str, family: int) -> list[str]:
    parts = []
    sources = SOURCES[family] if chain != "OUTPUT" else (TARGET[family],)
    targets = {"INPUT": (TARGET[family],), "FORWARD": (BEYOND[family],)}.get(chain, SOURCES[family])
    for words, addresses in ((("-s", "--source", "--src"), sources), (("-d", "--dst"), targets)):
        if chance.random() < 0.35:
            where = chance.choice(addresses + NETWORKS[family])
            negation = "" if where.endswith("/0") else _not(chance)
            parts.append(f"{negation}{chance.choice(words)} {where}")
    return parts


def _interfaces(chance: random.Random, chain: str) -> list[str]:
    parts = []
    options = {"INPUT": ("-i",), "OUTPUT": ("-o",), "FORWARD": ("-i", "--out-interface")}
    for option in options[chain]:
        if chance.random() < 0.25:
            name = chance.choice(("eth0", "eth+", "lo", "e+", "eth", "eth00", "tun+"))
            parts.append(f"{_not(chance)}{option} {name}")
    return parts


def _protocol(chance: random.Random, protocol: str, family: int) -> list[str]:
    if protocol in ("tcp", "udp"):
        number = {"tcp": "6", "udp": "17"}[protocol]
        return [f"-p {chance.choice((protocol, protocol.upper(), number))}"]
    if protocol == "icmp":
        names = ("icmp", "1") if family == 4 else ("icmpv6", "ipv6-icmp", "58")
        return [f"{_not(chance)}-p {chance.choice(names)}"]
    if protocol == "other":
        return [f"{_not(chance)}--protocol {chance.choice(('47', '17', '6'))}"]
    return [chance.choice(("", "-p all"))]


def _transport(chance: random.Random, protocol: str) -> str:
    parts = [f"-m {protocol}"] if chance.random() < 0.3 else []
    for options in (("--sport", "--source-port"), ("--dport", "--destination-port")):
        if chance.random() < 0.4:
            port = chance.choice(PORTS + RANGES + _services(protocol))
            negation = "" if port == "0:65535" else _not(chance)
            parts.append(f"{negation}{chance.choice(options)} {port}")
    if protocol == "tcp" and chance.random() < 0.5:
        if chance.random() < 0.4:
            parts.append(f"{_not(chance)}--syn")
        else:
            parts.append(
                f"{_not(chance)}--tcp-flags {_flags(chance, 'ALL')} {_flags(chance, 'NONE')}"
            )
    return " ".join(parts)


def _services(transport: str) -> tuple[str, ...]:
    """Name services, where the machine has names for them."""
    try:
        return tuple(n for n in SERVICES[transport] if socket.getservbyname(n, transport))
    except OSError:
        return ()


def _flags(chance: random.Random, word: str) -> str:
    if chance.random() < 0.25:
        return word
    return ",".join(chance.sample(FLAG_NAMES, chance.randint(1, 3)))


def _conntrack(chance: random.Random) -> str:
    states = ",".join(chance.sample(STATE_NAMES, chance.randint(1, 3)))
    module, option = chance.choice((("conntrack", "--ctstate"), ("state", "--state")))
    return f"-m {module} {_not(chance)}{option} {states}"


def _statistic(chance: random.Random) -> str:
    if chance.random() < 0.4:
        share = chance.choice(("0", "1", "1.0", "0.0"))
        return f"-m statistic --mode random {_not(chance)}--probability {share}"
    every = chance.randint(1, 7)
    return (
        f"-m statistic --mode nth {_not(chance)}--every {every} --packet {chance.randrange(every)}"
    )


def _limit(chance: random.Random) -> str:
    rate = chance.choice(("1/hour", "1/h", "2/day", "1/d"))
    burst = f" --limit-burst {chance.randint(1, 9)}" if chance.random() < 0.7 else ""
    return f"-m limit --limit {rate}{burst}"


def _length(chance: random.Random) -> str:
    low, high = sorted(chance.sample((0, 28, 40, 44, 48, 60, 64, 100, 104, 140, 500, 65535), 2))
    span = chance.choice((f"{low}", f"{low}:{high}", f"{low}:", f":{high}"))
    return f"-m length {_not(chance)}--length {span}"


def _comment(chance: random.Random) -> str:
    text = chance.choice(("why", '"two words"', "'a \"quoted\" word'", "dash-and_bar"))
    return f"-m comment --comment {text}"


def _target(chance: random.Random, protocol: str, family: int, parts: list[str]) -> str:
    makers: tuple[Callable[[], str], ...] = (
        lambda: "-j DROP",
        lambda: "--jump ACCEPT",
        lambda: "-j REJECT",
        lambda: f"-j REJECT --reject-with {chance.choice(REJECTS[family])}",
        lambda: "",
    )
    reset = protocol == "tcp" and "-p" in " ".join(parts)
    if reset and chance.random() < 0.2:
        return "-j REJECT --reject-with tcp-reset"
    return chance.choice(makers)()
