"""The real programs that scenarios run, and the Debian packages that bring them."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterable

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
    "setpriv": "util-linux",
    "ss": "iproute2",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "iptables": "iptables",
    "ip6tables": "iptables",
    "iptables-translate": "iptables",
    "nft": "nftables",
}
"""Program -> package, as Debian names it."""

FOR_TESTS = {"chromium": "chromium"}
"""The same for what no scenario runs: the harness's own tests look at its report with it."""

EVERYWHERE = {
    "sh": "dash",
    "cat": "coreutils",
    "sleep": "coreutils",
    "true": "coreutils",
    "yes": "coreutils",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
"""The same for programs that every Debian has, a bare container too."""

PACKAGES_BY_PROGRAM = PACKAGES | FOR_TESTS | EVERYWHERE
"""All of them."""
LIKENESS = 0.75
"""How much of a name must agree for it to be a misspelling: `ngnix` has 0.8 of `nginx`."""

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where programs lie that an unprivileged user's PATH may not have."""


def search_path(path: str | None) -> str:
    """This PATH with the system folders behind it, those that it lacks."""
    folders = (path or os.defpath).split(os.pathsep)
    return os.pathsep.join([*folders, *(each for each in SYSTEM_FOLDERS if each not in folders)])


def install_command(packages: Iterable[str], *, root: bool | None = None) -> str:
    """The command line that installs these Debian packages, for root or another user.

    root: None asks who this process is. The index is fetched first: a container's is empty.
    """
    sudo = "" if (os.geteuid() == 0 if root is None else root) else "sudo "
    names = " ".join(sorted(set(packages)))
    return f"{sudo}apt-get update && {sudo}apt-get install --no-install-recommends {names}"


def find_program(name: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(name, path=search_path(os.environ.get("PATH")))


def intended_program(name: str) -> str | None:
    """The program that somebody meant who wrote this name; None: it may be meant as it is."""
    if name in PACKAGES_BY_PROGRAM or find_program(name):
        return None
    return next(iter(difflib.get_close_matches(name, PACKAGES_BY_PROGRAM, 1, LIKENESS)), None)


def missing_program(name: str) -> str | None:
    """None when the program is here; otherwise what to install."""
    if find_program(name):
        return None
    package = PACKAGES_BY_PROGRAM.get(name)
    if package is None:
        return f"{name} is not installed: no folder of PATH has it. Give its path, or install it"
    return f"{name} is not installed; Debian's package {package} has it"
