"""Runs a command as on a kernel that lacks IPv6, nf_tables, AF_PACKET, sock_diag, or forbids perf.

A seccomp filter (seccomp(2)) answers the system call that would ask for it, for the command and all
that it starts, with the errno that such a kernel gives. Usage: kernel_without.py LACK COMMAND…
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

CALLS = {
    "x86_64": {"socket": 41, "perf_event_open": 298},
    "aarch64": {"socket": 198, "perf_event_open": 241},
}
"""The numbers of system calls; a test on another machine is skipped."""
NETLINK_SOCK_DIAG, NETLINK_NETFILTER = 4, 12
LACKS: dict[str, tuple[str, dict[int, int], int]] = {
    "ipv6": ("socket", {0: socket.AF_INET6}, errno.EAFNOSUPPORT),
    "nf_tables": ("socket", {0: socket.AF_NETLINK, 2: NETLINK_NETFILTER}, errno.EPROTONOSUPPORT),
    "packet_sockets": ("socket", {0: socket.AF_PACKET}, errno.EAFNOSUPPORT),
    "sock_diag": ("socket", {0: socket.AF_NETLINK, 2: NETLINK_SOCK_DIAG}, errno.EPROTONOSUPPORT),
    "perf": ("perf_event_open", {}, errno.EACCES),
}
"""What is lacking -> the call, which of its arguments must be what, and the errno."""
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
RETURN_ERRNO, RETURN_ALLOW = 0x00050000, 0x7FFF0000
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ARGUMENTS, ARGUMENT = 16, 8
"""struct seccomp_data: where the arguments begin, and how long one is, in bytes."""


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def instructions(lack: str) -> bytes:
    """The filter: of each value that is not the one wanted it jumps to the last instruction."""
    call, arguments, number = LACKS[lack]
    checks = [(0, CALLS[platform.machine()][call])]
    checks += [(ARGUMENTS + ARGUMENT * at, value) for at, value in arguments.items()]
    code = []
    for position, (offset, value) in enumerate(checks):
        left = 2 * (len(checks) - position - 1) + 1
        code += [(LOAD, 0, 0, offset), (JUMP_IF_EQUAL, 0, left, value)]
    code += [(RETURN, 0, 0, RETURN_ERRNO | number), (RETURN, 0, 0, RETURN_ALLOW)]
    return b"".join(struct.pack("HBBI", *each) for each in code)


def forbid(lack: str) -> None:
    """Have this process, and what it starts, be without it from now on. Errors: OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = instructions(lack)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(buffer))
    if os.geteuid() != 0:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


if __name__ == "__main__":
    forbid(sys.argv[1])
    os.execvp(sys.argv[2], sys.argv[2:])
