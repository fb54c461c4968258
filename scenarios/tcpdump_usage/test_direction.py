"""The direction: -P is not a letter of this tcpdump, -Q is."""

from collections.abc import Callable

import pytest

from scenarios.tcpdump_usage.conftest import Tcpdump
from sockstates import Host, Lab

pytestmark = [pytest.mark.claims("T7", holds=False)]


@pytest.mark.programs("tcpdump")
@pytest.mark.families("ipv4")
@pytest.mark.cause("server.start", without="-P out", instead="-Q out")
def test_p_is_refused(lab: Lab, server: Host) -> None:
    lab.step("The article's command line: -P out.")
    program = server.start("tcpdump -i eth0 -P out dst client -nn")
    program.ends(1)

    lab.step("tcpdump does not know it, and names -Q among what it knows.")
    refusal, version, *_ = program.errors.decode().splitlines()
    assert refusal == "tcpdump: invalid option -- 'P'"
    assert b"[ -Q in|out|inout ]" in program.errors
    lab.figure(f"-P out: {refusal}; this is {version}")


@pytest.mark.programs("tcpdump", "ping")
@pytest.mark.cause("server.start", without="-Q in", instead="-Q inout")
def test_q_selects_the_direction(
    lab: Lab, client: Host, server: Host, tcpdump: Callable[..., Tcpdump]
) -> None:
    """-Q in, -Q out and -Q inout do what the article wants of -P."""
    lab.step("Three tcpdumps on the server: -Q in, -Q out, and both ways.")
    came, went, both = (
        tcpdump(server, f"-i eth0 -Q {way} -nn host client", way) for way in ("in", "out", "inout")
    )

    lab.step("The client pings: the question comes in, the answer goes out.")
    client.start("ping -n -c 1 server").ends(0)
    incoming, outgoing, all_of_it = came.shows(), went.shows(), both.shows()
    assert ["echo request" in line for line in incoming] == [True]
    assert ["echo reply" in line for line in outgoing] == [True]
    assert len(all_of_it) == 2
    lab.figure(f"-Q in: {len(incoming)} line, -Q out: {len(outgoing)}, inout: {len(all_of_it)}")
