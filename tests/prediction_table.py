"""The table of settings and options in which the predictor is held against a kernel. Pure data.

A case is one kind of silence with what is set of the host (small letters) and of the socket (in
capitals, in the option's own unit). What a kernel does not have is left out for that kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from sockstates.tcp.kernel import Kernel
from sockstates.tcp.kernel_settings import OPTIONS, SETTINGS
from sockstates.tcp.prediction import ORPHANED, Prediction, predict
from sockstates.tcp.silence import Situation


@dataclass(frozen=True, slots=True)
class Case:
    """What is silent, and what is set. round_trip: seconds that the path takes, by netem."""

    kind: str
    settings: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, float] = field(default_factory=dict)
    orphan: bool = False
    round_trip: float = 0.0

    @property
    def id(self) -> str:
        """For the test's name: syn-tcp_syn_retries=2-TCP_SYNCNT=1."""
        words = [f"{name}={value:g}" for name, value in {**self.settings, **self.options}.items()]
        if self.orphan is not (self.kind in ORPHANED):
            words.append("orphan" if self.orphan else "owned")
        if self.round_trip:
            words.append(f"{self.round_trip:g}s")
        return "-".join([self.kind, *words])

    def is_for(self, kernel: Kernel) -> bool:
        """Whether this kernel has all that is set."""
        since = [SETTINGS[name].since for name in self.settings]
        since += [OPTIONS[name].since for name in self.options]
        return all(kernel.version >= each for each in since)

    def prediction(self, kernel: Kernel) -> Prediction:
        """What is predicted where everything else is the kernel's default."""
        settings = {name: str(value) for name, value in self.settings.items()}
        situation = Situation(kernel, settings, self.options, self.orphan)
        return predict(self.kind, situation)


def cases() -> tuple[Case, ...]:
    """All of them, each once."""
    made = [*_syn(), *_synack(), *_data(), *_fin(), *_probe(), *_keepalive(), *_waiting()]
    return tuple({case.id: case for case in made}.values())


def _each(kind: str, *, orphan: bool = False, **values: object) -> Iterator[Case]:
    """Every combination of these values, of each setting and option."""
    names = list(values)
    lists = [value if isinstance(value, tuple) else (value,) for value in values.values()]
    for chosen in product(*lists):
        pairs = dict(zip(names, chosen, strict=True))
        settings = {name: int(value) for name, value in pairs.items() if name.islower()}
        options = {name: value for name, value in pairs.items() if name.isupper()}
        yield Case(kind, settings, options, orphan)


def _syn() -> Iterator[Case]:
    yield Case("syn")
    yield from _each("syn", tcp_syn_retries=(1, 2, 3, 4, 5, 6, 7, 8, 10))
    yield from _each("syn", tcp_syn_retries=(1, 2, 3, 6), tcp_syn_linear_timeouts=(0, 1, 2, 8))
    yield from _each("syn", TCP_SYNCNT=(1, 2, 3, 5, 7))
    yield from _each(
        "syn", tcp_syn_retries=(2, 6), TCP_USER_TIMEOUT=(500, 1500, 3500, 10000, 60000)
    )
    yield from _each("syn", tcp_syn_retries=(3, 6, 9), tcp_rto_max_ms=(1000, 5000, 30000))
    yield from _each("syn", TCP_RTO_MAX_MS=(1000, 8000))


def _synack() -> Iterator[Case]:
    yield from _each("synack", tcp_synack_retries=(0, 1, 2, 3, 4, 5, 6, 7, 8))
    yield from _each("synack", TCP_SYNCNT=(1, 2, 4, 6))
    yield from _each("synack", tcp_synack_retries=(3, 5), tcp_rto_max_ms=(1000, 4000))
    yield from _each(
        "synack", tcp_synack_retries=(2, 5), TCP_DEFER_ACCEPT=(1, 2, 3, 4, 7, 8, 15, 30, 60)
    )


def _data() -> Iterator[Case]:
    retries = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15)
    yield from _each("data", tcp_retries2=retries, tcp_early_retrans=(0, 3))
    yield from _each("data", tcp_retries2=(2, 5, 8), tcp_sack=0)
    yield from _each("data", TCP_USER_TIMEOUT=(300, 1000, 2500, 5000, 30000, 120000))
    yield from _each("data", TCP_USER_TIMEOUT=(300, 700, 1000, 4000, 30000), tcp_early_retrans=0)
    yield from _each("data", tcp_retries2=(2, 5, 8), tcp_thin_linear_timeouts=1)
    yield from _each("data", tcp_retries2=(2, 6), TCP_THIN_LINEAR_TIMEOUTS=1)
    yield from _each("data", tcp_retries2=(3, 8, 15), tcp_rto_max_ms=(1000, 3000, 20000))
    yield from _each("data", tcp_retries2=(3, 8), tcp_rto_min_us=(20000, 50000, 400000, 1000000))
    yield from _each("data", tcp_retries2=8, TCP_RTO_MAX_MS=(2000, 10000))
    yield from _each("data", tcp_retries2=8, TCP_RTO_MIN_US=(20000, 100000))
    for seconds, number in product((0.02, 0.05, 0.15, 0.3, 0.6), (1, 2, 3, 5, 8, 10, 15)):
        yield Case("data", {"tcp_retries2": number}, round_trip=seconds)


def _fin() -> Iterator[Case]:
    orphan_retries = (0, 1, 2, 3, 4, 5, 6, 8, 10)
    yield from _each(
        "fin", orphan=True, tcp_orphan_retries=orphan_retries, tcp_early_retrans=(0, 3)
    )
    yield from _each("fin", tcp_retries2=(1, 2, 3, 5, 8, 15))
    yield from _each("fin", orphan=True, TCP_USER_TIMEOUT=(500, 3000, 20000))
    yield from _each("fin", TCP_USER_TIMEOUT=(800, 20000))
    yield from _each("fin", orphan=True, tcp_orphan_retries=(0, 1, 4), SO_LINGER=(1, 5, 10))
    for seconds, number in product((0.05, 0.3), (1, 2, 4, 8)):
        yield Case("fin", {"tcp_orphan_retries": number}, orphan=True, round_trip=seconds)
    yield from _each("fin", orphan=True, tcp_orphan_retries=(0, 3, 8), tcp_rto_max_ms=(1000, 5000))


def _probe() -> Iterator[Case]:
    yield from _each("probe", tcp_retries2=(0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15))
    yield from _each("probe", TCP_USER_TIMEOUT=(500, 1500, 4000, 20000, 60000))
    yield from _each("probe", orphan=True, tcp_orphan_retries=(0, 1, 2, 3, 5, 8, 12))
    yield from _each("probe", orphan=True, TCP_USER_TIMEOUT=(700, 5000, 40000))
    yield from _each("probe", tcp_retries2=(4, 9), tcp_rto_max_ms=(1000, 6000))
    yield from _each("probe", orphan=True, tcp_orphan_retries=(0, 3, 9), tcp_rto_max_ms=2000)


def _keepalive() -> Iterator[Case]:
    yield from _each(
        "keepalive",
        tcp_keepalive_time=(1, 30, 120, 600, 7200),
        tcp_keepalive_intvl=(1, 10, 75),
        tcp_keepalive_probes=(1, 3, 9),
    )
    yield from _each("keepalive", tcp_keepalive_probes=(0, 20))
    yield from _each("keepalive", TCP_KEEPIDLE=(1, 60), TCP_KEEPINTVL=(1, 15), TCP_KEEPCNT=(1, 5))
    yield from _each(
        "keepalive",
        TCP_KEEPIDLE=10,
        TCP_KEEPINTVL=(3, 20),
        TCP_USER_TIMEOUT=(2000, 10000, 15000, 61000),
    )


def _waiting() -> Iterator[Case]:
    timeouts = (0, 1, 2, 5, 30, 59, 60, 61, 62, 65, 70, 75, 90, 100, 119, 120, 121, 150, 180, 300)
    yield from _each("fin-wait2", orphan=True, tcp_fin_timeout=timeouts)
    yield from _each("fin-wait2", orphan=True, TCP_LINGER2=(1, 5, 30, 60, 61, 90, 120, 300))
    yield from _each("time-wait", tcp_fin_timeout=(5, 60, 300))
