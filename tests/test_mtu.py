"""A host's MTU: set on its own cables only, told in the evidence, and refused in words."""

import pytest

from sockstates import Host, Lab, LabError
from sockstates.record.events import SysctlSet
from sockstates.tcp.sizes import announced_mss, most_data


def test_sizes_of_ethernet() -> None:
    assert announced_mss(1500, "ipv4") == 1460
    assert announced_mss(1500, "ipv6") == 1440
    assert most_data(1460) == 1448


def test_it_is_the_host_s_own_and_recorded(lab: Lab, client: Host, server: Host) -> None:
    client.mtu(1300)
    for host, octets in ((client, 1300), (server, 1500)):
        program = host.start("cat /sys/class/net/eth0/mtu /proc/sys/net/ipv6/conf/eth0/mtu")
        program.ends(0)
        assert program.output.split()[0] == str(octets).encode()
    (change,) = (each for each in lab.timeline.events if isinstance(each, SysctlSet))
    assert (change.host, change.name) == ("client", "eth0 mtu")
    assert (change.value, change.before) == ("1300", "1500")


@pytest.mark.families("ipv6")
def test_too_little_for_ipv6(client: Host) -> None:
    with pytest.raises(LabError, match="too small for ipv6, which needs 1280 bytes") as error:
        client.mtu(1279)
    assert 'pytest.mark.families("ipv4")' in str(error.value)


@pytest.mark.families("ipv4")
def test_what_no_interface_can_have(client: Host) -> None:
    with pytest.raises(LabError, match="client: an MTU of 67 is too small for ipv4"):
        client.mtu(67)
    with pytest.raises(LabError, match=r"client: an MTU of 70000 is refused: .*Invalid argument"):
        client.mtu(70000)
