"""What netstat(8) and ss(8) show on a host, expected to be what we saw; and our own netstat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockstates.evidence.listing import Alike, Listing, Tool, disagreements, read_netstat, read_ss
from sockstates.evidence.netstat import netstat_table
from sockstates.evidence.sockets_at import MomentNotRecorded
from sockstates.evidence.verdicts import ExpectationFailed
from sockstates.record.events import NANOSECONDS
from sockstates.sandbox.client.errors import LabError

if TYPE_CHECKING:
    from sockstates.lab.host import Host

COMMANDS = {"netstat": "netstat -antpW", "ss": "ss -Hantp"}
READERS = {"netstat": read_netstat, "ss": read_ss}


def agreed_listing(host: Host, tool: Tool) -> Listing:
    """What the tool lists, expected to equal our own observations row by row.

    State, both queues and the owning process are compared, and no socket may be missing on either
    side. Errors: ExpectationFailed, also when there is nothing to compare.
    """
    lab = host.lab
    lab.settle()
    began = lab.now()
    program = host.start(COMMANDS[tool])
    program.ends(0)
    ended = lab.now()
    text = program.output.decode()
    listing = Listing(tool, host.name, began, ended, READERS[tool](text))
    found = disagreements(listing, lab.timeline, lab.origin, _same_program(host))
    if not listing.sockets and not found:
        found = ["there is no TCP socket on the host at all: nothing was compared"]
    if found:
        raise ExpectationFailed(
            "\n\n".join([f"{program} does not show what was observed", *found, text])
        )
    return listing


def recorded_netstat(host: Host, seconds: float | None) -> str:
    """The host's table so many seconds after the scenario began, or now."""
    lab = host.lab
    lab.settle()
    moment = None if seconds is None else lab.origin + round(seconds * NANOSECONDS)
    try:
        return netstat_table(lab.timeline, host.name, moment)
    except MomentNotRecorded as error:
        raise LabError(f"{host.name}: no netstat: {error}") from error


def _same_program(host: Host) -> Alike:
    def alike(one: int, other: int) -> bool:
        program = host.program_of(one)
        return program is not None and program == host.program_of(other)

    return alike
