"""The boundary of a lab: what its programs cannot reach, as root too, and what they still can."""

import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockstates import Host
from sockstates.sandbox import boundary
from sockstates.sandbox.network import namespaces
from tests.own_namespace import in_own_namespace

PROBES = Path(__file__).with_name("boundary_probes.py")
REFUSED = {"EPERM", "EACCES", "EROFS", "ESRCH", "ENOSYS"}
LOCKED = "EINVAL"
"""What umount(2), a bind mount that would uncover something, and a pidfd of elsewhere get."""
AS_ROOT = pytest.mark.only_where(os.getuid() == 0, reason="only root has other users on its hosts")


@pytest.fixture
def line() -> Iterator[socket.socket]:
    """A listening Unix socket that programs on hosts reach too: file systems are the machine's."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/line")
        listening.listen()
        listening.settimeout(60)
        yield listening


def test_no_program_gets_out_of_its_host(client: Host, line: socket.socket) -> None:
    program = client.start([sys.executable, str(PROBES), line.getsockname(), str(os.getpid())])
    with line.accept()[0] as connection:
        descriptors = [os.open("/proc/self/ns/net", os.O_RDONLY), os.pidfd_open(os.getpid())]
        socket.send_fds(connection, [b"take"], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    program.ends(0)
    answer = json.loads(program.output)
    assert answer["descriptors"] == [0, 1, 2]
    tried = answer["tried"]
    assert len(tried) > 25
    for name, got in tried.items():
        allowed = REFUSED | {LOCKED} if _takes_einval(name) else REFUSED
        assert got in allowed, f"{name}: {got}"


def _takes_einval(name: str) -> bool:
    return name.startswith(("take away", "bind", "signal by"))


def test_the_kernels_file_systems_are_read_only_wherever_they_are_mounted(tmp_path: Path) -> None:
    def sealed() -> dict[str, bool]:
        namespaces.mount("none", "/", None, namespaces.MS_REC | namespaces.MS_PRIVATE)
        places = {"sysfs": tmp_path / "a b", "tmpfs": tmp_path / "files"}
        for kind, place in places.items():
            place.mkdir()
            namespaces.mount("none", str(place), kind, boundary.NOTHING_RUNS)
        boundary.seal_the_machine()
        return {
            kind: bool(os.statvfs(place).f_flag & os.ST_RDONLY) for kind, place in places.items()
        }

    assert in_own_namespace(sealed) == {"sysfs": True, "tmpfs": False}


def test_a_program_is_root_of_its_own_network(client: Host) -> None:
    text = (
        "import pathlib, socket\n"
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()\n"
        "pathlib.Path('/proc/sys/net/ipv4/tcp_fin_timeout').write_text('21')\n"
        "pathlib.Path('/proc/self/comm').write_text('renamed')\n"
    )
    client.start([sys.executable, "-c", text]).ends(0)
    assert client.sysctl("net.ipv4.tcp_fin_timeout") == "21"


@pytest.mark.programs("ip")
def test_a_program_may_be_root_of_further_namespaces(client: Host) -> None:
    shell = client.start(["unshare", "--user", "--map-root-user", "--net", "--mount", "ip", "link"])
    shell.ends(0)
    assert b"eth0" not in shell.output
    assert b"lo" in shell.output


@AS_ROOT
def test_a_program_of_root_may_become_any_user_and_keep_files_for_it(
    client: Host, tmp_path: Path
) -> None:
    file = tmp_path / "owned"
    text = (
        "import os, sys\n"
        "open(sys.argv[1], 'w').close()\n"
        "os.chown(sys.argv[1], 33, 33)\n"
        "os.setgroups([33]); os.setresgid(33, 33, 33); os.setresuid(33, 33, 33)\n"
    )
    client.start([sys.executable, "-c", text, str(file)]).ends(0)
    assert (file.stat().st_uid, file.stat().st_gid) == (33, 33)
