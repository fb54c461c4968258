"""tcpdump -i picks one interface or all of them, and -D lists them."""

import re
from collections.abc import Callable

import pytest

from scenarios.tcpdump_usage.conftest import Tcpdump
from sockstates import Host, Lab

pytestmark = [pytest.mark.claims("T1"), pytest.mark.programs("tcpdump", "ping")]


@pytest.mark.cause("server.start", without="-i lo", instead="-i eth0")
def test_one_interface_or_all(lab: Lab, server: Host, tcpdump: Callable[..., Tcpdump]) -> None:
    lab.step("One tcpdump listens on eth0, one on loopback, one on all.")
    one, loopback, every = (tcpdump(server, f"-i {name} -nn") for name in ("eth0", "lo", "any"))

    lab.step("The server pings the client, over eth0, and itself, over lo.")
    server.start("ping -n -c 1 client").ends(0)
    server.start("ping -n -c 2 -i 0.1 localhost").ends(0)

    lab.step("Each interface's tcpdump shows its own; the one for any shows both, and says which.")
    of_eth0, of_lo, of_any = one.shows(), loopback.shows(), every.shows()
    assert len(of_eth0) == 2
    assert len(of_lo) == 4
    assert sum(" eth0 " in line for line in of_any) == len(of_eth0)
    assert sum(" lo " in line for line in of_any) == len(of_lo)
    lab.figure(f"-i eth0: {len(of_eth0)} lines, -i lo: {len(of_lo)}, -i any: {len(of_any)}")


@pytest.mark.families("ipv4")
@pytest.mark.cause("server.start", without="-D", instead="--version")
def test_the_list_of_interfaces(lab: Lab, server: Host) -> None:
    lab.step("tcpdump -D lists the host's interfaces.")
    program = server.start("tcpdump -D")
    program.ends(0)
    listed = re.findall(r"^\d+\.(\S+)", program.output.decode(), re.MULTILINE)
    assert {"eth0", "lo", "any"} <= set(listed)
    lab.figure(f"-D lists {', '.join(sorted({'eth0', 'lo', 'any'} & set(listed)))}")
