"""The real programs that scenarios run, and the Debian packages that bring them."""

from __future__ import annotations

import shutil

PACKAGES = {
    "nc": "netcat-openbsd",
    "telnet": "telnet",
    "nginx": "nginx",
    "curl": "curl",
    "openssl": "openssl",
    "tcpdump": "tcpdump",
    "tshark": "tshark",
    "capinfos": "tshark",
    "netstat": "net-tools",
    "ss": "iproute2",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "iptables": "iptables",
    "ip6tables": "iptables",
    "iptables-translate": "iptables",
    "nft": "nftables",
}
"""Program -> package, as Debian names it."""

SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where programs lie that an unprivileged user's PATH may not have."""


def find_program(name: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(name) or shutil.which(name, path=SYSTEM_FOLDERS)


def missing_program(name: str) -> str | None:
    """None when the program is here; otherwise what to install."""
    if find_program(name):
        return None
    return f"{name} is not installed; Debian's package {PACKAGES.get(name, name)} has it"
