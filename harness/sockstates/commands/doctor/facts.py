"""What the doctor saw: plain facts, without a judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sockstates.commands.doctor.scenarios import Needs

USER_NAMESPACES_ALLOWED = "kernel.unprivileged_userns_clone"
USER_NAMESPACES_RESTRICTED = "kernel.apparmor_restrict_unprivileged_userns"
MOST_USER_NAMESPACES = "user.max_user_namespaces"
MOST_NETWORK_NAMESPACES = "user.max_net_namespaces"
SETTINGS = (
    USER_NAMESPACES_ALLOWED,
    USER_NAMESPACES_RESTRICTED,
    MOST_USER_NAMESPACES,
    MOST_NETWORK_NAMESPACES,
)
"""Kernel settings that can forbid or limit a lab; the first two exist on some kernels only."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A lab that was really made, or why it could not be."""

    failure: str = ""
    """Empty: it was made, in `seconds`."""
    refused: bool = True
    """The failure is a permission's, and not, say, a file of ours that cannot be read."""
    seconds: float = 0.0
    rules: Mapping[str, str] = field(default_factory=dict)
    """Address family -> what went wrong with a rule there; empty: the rule did its work."""
    frames: int = 0
    """How many frames were captured of a handshake in each family."""
    sys_is_empty: bool = False
    lacks: frozenset[str] = frozenset()
    """What the kernel lacks of `KERNEL_PARTS`, which some scenarios need."""
    no_tracepoints: str = ""
    """Why the kernel's own word on socket states cannot be had; empty: it can."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the doctor judges."""

    python: tuple[int, int, int]
    packages: Mapping[str, str | None]
    """Python package -> its version, None where it is missing."""
    user: int
    whole_machine: bool
    """False inside a user namespace: even root is then somebody without privileges outside."""
    capabilities: frozenset[str]
    container: str
    """What kind of container we are in; empty: none that we know."""
    system_call_filter: bool
    settings: Mapping[str, int | None]
    programs: Mapping[str, bool]
    """Program -> is it here: those that sockstates knows, and those that scenarios declare."""
    libpcap_needs: tuple[str, ...]
    """Command lines that install what compiles filter expressions; empty: it is installed."""
    scenarios: tuple[Needs, ...] | None
    """What each scenario of the folder ``scenarios/`` here needs; None: there is no such folder."""
    trial: Trial | None
    """None: not tried, because packages are missing."""
