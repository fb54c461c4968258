"""setgroups(2) where it is denied: programs that insist on it are told that it was done.

A user namespace that an unprivileged user makes for himself may not change its groups
(user_namespaces(7)), and there is nobody in it but its root. Programs that begin by giving up
groups, as tcpdump does, would end there. A system call filter (seccomp(2)) answers that one call
with 0 and does nothing; no other call is touched. Never used as the machine's root.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import Final

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
CALLS: Final = {
    "x86_64": (0xC000_003E, 116),
    "aarch64": (0xC000_00B7, 159),
    "riscv64": (0xC000_00F3, 159),
    "ppc64le": (0xC000_0015, 206),
    "s390x": (0x8000_0016, 206),
}
"""Machine -> AUDIT_ARCH_… (linux/audit.h) and its number of setgroups(2)."""
_ALLOW, _ANSWER_0 = 0x7FFF_0000, 0x0005_0000
"""SECCOMP_RET_ALLOW, and SECCOMP_RET_ERRNO with no error."""
_LOAD, _SAME, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
"""Offsets in struct seccomp_data."""


def answer_setgroups() -> None:
    """Have setgroups(2) do nothing, successfully, in this process and all that descend from it.

    Nothing happens on a machine whose numbers are not known. Errors: OSError.
    """
    known = CALLS.get(platform.machine())
    if known is None:
        return
    architecture, number = known
    program = (
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_SAME, 0, 3, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_SAME, 0, 1, number),
        (_RETURN, 0, 0, _ANSWER_0),
        (_RETURN, 0, 0, _ALLOW),
    )
    code = b"".join(struct.pack("=HBBI", *each) for each in program)
    memory = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HxxxxxxP", len(program), ctypes.addressof(memory))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_SECCOMP): {os.strerror(error)}")
