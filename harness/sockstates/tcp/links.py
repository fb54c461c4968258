"""pcap's numbers for the outermost layer of a frame, and what the layers say of what they carry.

Numbers as https://www.tcpdump.org/linktypes.html lists them. Only names for them; nothing is read
here.
"""

from typing import Final

BSD_LOOPBACK: Final = 0
"""LINKTYPE_NULL: four bytes before the packet, its family in the order of the host's bytes."""
ETHERNET: Final = 1
"""LINKTYPE_ETHERNET: Ethernet, and Linux's loopback device, which is framed like it."""
RAW_IP: Final = 101
"""LINKTYPE_RAW: an IPv4 or IPv6 packet with nothing before it (tun devices)."""
RAW_IP_IN_FILES: Final = (12, 14)
"""DLT_RAW of BSD and OpenBSD, which some programs write into files as it is."""
OPENBSD_LOOPBACK: Final = 108
"""LINKTYPE_LOOP: four bytes before the packet, its family in network order."""
COOKED: Final = 113
"""LINKTYPE_LINUX_SLL: what Linux gives for ``-i any``; 16 bytes."""
RAW_IPV4: Final = 228
RAW_IPV6: Final = 229
COOKED_2: Final = 276
"""LINKTYPE_LINUX_SLL2: the same as COOKED with the interface's number; 20 bytes."""

IPV4_TYPE: Final = 0x0800
IPV6_TYPE: Final = 0x86DD
VLAN_TYPES: Final = frozenset({0x8100, 0x88A8, 0x9100})
"""IEEE 802.1Q, 802.1ad, and what stacked tags had before there was 802.1ad."""
FAMILIES: Final = {2: IPV4_TYPE} | dict.fromkeys((10, 24, 28, 30), IPV6_TYPE)
"""AF_INET, and AF_INET6 as Linux, OpenBSD and NetBSD, FreeBSD, and macOS number it."""
