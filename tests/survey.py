"""What a machine holds that a lab could leave behind: read, never changed.

For a machine of its own, whose /proc shows its own processes only (see `tests.killing`).
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
CHANGE_BY_THEMSELVES = {"net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_buckets"}
TRACING_INSTANCES = (
    Path("/sys/kernel/tracing/instances"),
    Path("/sys/kernel/debug/tracing/instances"),
)


def survey(temporary: Path) -> dict[str, list[str]]:
    """Everything, by kind; `temporary` is where programs are told to put their files."""
    return {
        "processes": sorted(_described(pid) for pid in other_processes()),
        "network namespaces": sorted(_links("ns/net")),
        "mounts": _mounts(),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "sysctls": sorted(_sysctls()),
        "nf_tables rules": _answer("nft", "list", "ruleset"),
        "namespaces by lsns": _answer("lsns", "--type", "net", "--noheadings", "--output", "NS"),
        "named namespaces": _names(Path("/run/netns")),
        "tracing instances": [name for path in TRACING_INSTANCES for name in _names(path)],
        "temporary files": _names(temporary),
    }


def differences(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """What is there that was not, or is not there that was."""
    found = []
    for kind, known in before.items():
        found += [f"{kind}: {each} is new" for each in sorted(set(after[kind]) - set(known))]
        found += [f"{kind}: {each} is gone" for each in sorted(set(known) - set(after[kind]))]
    return found


def other_processes() -> list[int]:
    """Every process but this one."""
    numbers = (int(path.name) for path in PROC.iterdir() if path.name.isdigit())
    return sorted(number for number in numbers if number != os.getpid())


def _described(pid: int) -> str:
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ")[:200]
    except (FileNotFoundError, ProcessLookupError):
        return f"{pid} (just ended)"
    return f"{pid} {command.decode(errors='replace')}"


def _links(name: str) -> Iterator[str]:
    for pid in (os.getpid(), *other_processes()):
        try:
            yield os.readlink(PROC / str(pid) / name)
        except (FileNotFoundError, ProcessLookupError):
            continue


def _mounts() -> list[str]:
    lines = (PROC / "self/mountinfo").read_text().splitlines()
    return sorted(" ".join(line.split()[3:]) for line in lines)


def _sysctls() -> Iterator[str]:
    folder = PROC / "sys"
    for path in (folder / "net").rglob("*"):
        name = str(path.relative_to(folder))
        if name in CHANGE_BY_THEMSELVES or not path.is_file():
            continue
        try:
            yield f"{name} = {path.read_text().strip()}"
        except OSError:
            continue  # for writing only, or for the real root only


def _answer(*command: str) -> list[str]:
    program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        return []
    done = subprocess.run([program, *command[1:]], check=True, capture_output=True, text=True)
    return [line.strip() for line in done.stdout.splitlines()]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, PermissionError):
        return []
