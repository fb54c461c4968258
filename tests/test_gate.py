"""The gate: no change of network state in the namespace that a process was started in.

Two halves. The gate itself is tried out, always in a process that may lose nothing if it leaks.
And the source of the whole harness is read: nobody but the gate opens what changes a network.
"""

import ast
import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sockstates import Host
from sockstates.sandbox.network import gate
from tests.gate_exceptions import (
    READS_FRAMES,
    READS_NETLINK,
    READS_SYSCTLS,
    SETS_UP_A_GUEST,
    STARTS_PROCESSES,
    STEERS_RECORDING,
)
from tests.module_trees import SOURCES, Module, dotted, modules, read_module
from tests.own_namespace import in_own_namespace, inside, new_namespace

NETWORK = "sockstates.sandbox.network"
GATE = f"{NETWORK}.gate"
LOOKS_ONLY = {
    "network_namespace",
    "prove_outside_host",
    "sysctl_path",
    "sysctl_names",
    "read_sysctl",
}
"""What the gate has for looking; everything else in it opens or changes something."""

ENTERS_NAMESPACES = f"{NETWORK}.namespaces"
"""Has setns(2) as ``enter``; who calls that says which kind."""
READERS = {"AF_NETLINK": ("netlink", READS_NETLINK), "AF_PACKET": ("packet", READS_FRAMES)}
PERF_IOCTLS = {"ENABLE", "SET_OUTPUT", "SET_FILTER"}
NLMSG_NOOP, NLM_F_REQUEST = 1, 1
RTM_GETLINK, DUMP = 18, 0x301
NETWORK_PROGRAMS = {
    *("ip", "tc", "bridge", "sysctl", "ethtool", "brctl", "ifconfig", "route", "nft", "ebtables"),
    *("iptables", "ip6tables", "iptables-restore", "ip6tables-restore", "conntrack", "nsenter"),
}
PROCESS_CALLS = {"Popen", "run", "call", "check_call", "check_output", "system", "popen"}


def _write_present_value() -> None:
    """Harmless even if the gate were open: the value that is there already."""
    name = "net.ipv4.tcp_syn_retries"
    gate.write_sysctl(name, gate.read_sysctl(name))


def _send_message_that_does_nothing() -> None:
    gate.send_messages(gate.NETLINK_HEADER.pack(16, NLMSG_NOOP, NLM_F_REQUEST, 0, 0))


OPENERS: dict[str, Callable[[], object]] = {
    "message_encoder": lambda: gate.message_encoder().close(),
    "send_messages": _send_message_that_does_nothing,
    "dump": lambda: gate.dump(gate.NETLINK_HEADER.pack(32, RTM_GETLINK, DUMP, 0, 0) + bytes(16)),
    "link_events": lambda: gate.link_events().close(),
    "filter_socket": lambda: gate.filter_socket().close(),
    "netfilter_events": lambda: gate.netfilter_events(1).close(),
    "frame_sender": lambda: gate.frame_sender("lo").close(),
    "unbound_packet_socket": lambda: gate.unbound_packet_socket().close(),
    "interface_socket": lambda: gate.interface_socket().close(),
    "write_sysctl": _write_present_value,
}


def test_every_function_of_the_gate_is_tried_below() -> None:
    assert set(_gate_functions()) - LOOKS_ONLY == set(OPENERS)


def test_every_function_of_the_gate_proves_where_it_is_first() -> None:
    for name, function in _gate_functions().items():
        if name not in LOOKS_ONLY:
            first = function.body[1]  # behind the docstring
            assert isinstance(first, ast.Expr), name
            assert isinstance(first.value, ast.Call), name
            assert dotted(first.value.func) == "prove_outside_host", name


@pytest.mark.parametrize("name", OPENERS)
def test_the_gate_is_shut_where_the_process_started(name: str) -> None:
    with pytest.raises(gate.HostNetworkError, match=f"inode {gate.STARTED_IN[1]}"):
        OPENERS[name]()


@pytest.mark.parametrize("name", OPENERS)
def test_the_gate_is_open_in_a_namespace_of_our_own(name: str) -> None:
    in_own_namespace(OPENERS[name])


def test_a_program_on_a_host_may_not_change_that_host(client: Host) -> None:
    """It was started there, so for the gate that is its machine."""
    program = client.start(
        [
            *(sys.executable, "-c"),
            "from sockstates.sandbox.network import gate\n"
            "try: gate.interface_socket()\n"
            "except gate.HostNetworkError as error: print(error)",
        ],
        environment={"PYTHONPATH": str(SOURCES)},
    )
    program.ends(0)
    assert b"refused" in program.output


def test_what_the_gate_lets_through_arrives_in_the_host_alone(client: Host, server: Host) -> None:
    machine = gate.read_sysctl("net.ipv4.tcp_fin_timeout")
    before = server.sysctl("net.ipv4.tcp_fin_timeout")
    other = str(int(machine) + 7)
    assert client.sysctl("net.ipv4.tcp_fin_timeout", other) == other
    assert server.sysctl("net.ipv4.tcp_fin_timeout") == before
    assert gate.read_sysctl("net.ipv4.tcp_fin_timeout") == machine


def _fresh_gate() -> ModuleType:
    """The gate as a process has it that starts here and now."""
    specification = importlib.util.spec_from_file_location("gate_of_this_process", gate.__file__)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def _refuses(own_gate: ModuleType) -> bool:
    try:
        own_gate.interface_socket().close()
    except own_gate.HostNetworkError:
        return True
    return False


def test_a_process_that_moved_into_a_lab_and_back_is_refused() -> None:
    def moved_there_and_back() -> list[bool]:
        own_gate = _fresh_gate()
        lab = new_namespace()
        seen = [_refuses(own_gate)]
        with inside(lab):
            seen.append(_refuses(own_gate))
        return [*seen, _refuses(own_gate)]

    assert in_own_namespace(moved_there_and_back) == [True, False, True]


def test_a_thread_that_stayed_is_refused_when_the_main_thread_moved() -> None:
    def two_threads() -> dict[str, bool]:
        own_gate = _fresh_gate()
        lab = new_namespace()
        moved, seen = threading.Event(), {}

        def stay() -> None:
            seen["in time"] = moved.wait(10)
            seen["stayed"] = _refuses(own_gate)

        thread = threading.Thread(target=stay)
        thread.start()
        with inside(lab):
            seen["moved"] = _refuses(own_gate)
            moved.set()
            thread.join()
        return seen

    assert in_own_namespace(two_threads) == {"in time": True, "stayed": True, "moved": False}


# What the source says


def _gate_functions() -> dict[str, ast.FunctionDef]:
    tree = read_module(Path(gate.__file__)).tree
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    return {name: node for name, node in functions.items() if not name.startswith("_")}


def ways_around(module: Module) -> list[str]:
    """Everything in a module by which it could change a network without the gate."""
    found = []
    gated = _gated_sockets(module.tree)
    for node in ast.walk(module.tree):
        for reason in _offences(node, module, gated):
            found.append(f"{module.name} line {getattr(node, 'lineno', 0)}: {reason}")
    return found


def _gated_sockets(tree: ast.Module) -> set[str]:
    """Names bound by ``with gate.interface_socket() as name``."""
    return {
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and dotted(item.context_expr.func) == "gate.interface_socket"
    }


def _offences(node: ast.AST, module: Module, gated: set[str]) -> list[str]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyroute2"):
        names = [alias.name for alias in node.names]
        if node.module == "pyroute2" or any(name.endswith("Socket") for name in names):
            return [f"takes {', '.join(names)} from {node.module}"]
    if isinstance(node, ast.Import) and any(a.name.startswith("pyroute2") for a in node.names):
        return ["imports pyroute2 whole"]
    if isinstance(node, ast.Attribute) and node.attr in READERS:
        what, readers = READERS[node.attr]
        return [] if module.name in readers else [f"opens a {what} socket"]
    if isinstance(node, ast.Constant) and str(node.value).startswith("/proc/sys"):
        return [] if module.name in READS_SYSCTLS else ["knows where sysctls lie"]
    if isinstance(node, ast.Call):
        return _call_offences(node, module, gated)
    return []


def _is_asked(node: ast.Call, gated: set[str]) -> bool:
    return bool(node.args) and dotted(node.args[0]) in gated


def _steers_recording(node: ast.Call, module: Module) -> bool:
    """The kind of ioctl is named, and is one of perf_event_open(2)'s."""
    return module.name in STEERS_RECORDING and dotted(node.args[1]) in PERF_IOCTLS


def test_what_steers_recording_cannot_ask_an_interface() -> None:
    from sockstates.sandbox.witnesses import perf_events

    for name in PERF_IOCTLS:
        assert getattr(perf_events, name) >> 8 & 0xFF == ord("$"), "linux/perf_event.h"
    planted = ast.parse("import fcntl\nfcntl.ioctl(3, SIOCSIFFLAGS, b'')")
    assert ways_around(
        Module("sockstates.sandbox.witnesses.perf_events", Path("planted.py"), planted)
    )


def _is_harmless(node: ast.Call, module: Module, gated: set[str]) -> bool:
    asked = _is_asked(node, gated) or _steers_recording(node, module)
    return asked or module.name in SETS_UP_A_GUEST


def _call_offences(node: ast.Call, module: Module, gated: set[str]) -> list[str]:
    name = dotted(node.func).rpartition(".")[2]
    if name == "ioctl" and not _is_harmless(node, module, gated):
        return ["ioctl on something that is not the gate's interface socket"]
    if name == "setns" and module.name != ENTERS_NAMESPACES:
        return ["setns"]
    if name == "enter" and not _enters_something_harmless(node):
        return ["enters a namespace that may be a network"]
    if name in PROCESS_CALLS or name.startswith(("exec", "spawn", "posix_spawn")):
        if dotted(node.func).partition(".")[0] not in ("subprocess", "os"):
            return []
        words = {
            str(each.value).split(" ")[0].rpartition("/")[2]
            for each in ast.walk(node)
            if isinstance(each, ast.Constant)
        }
        known = [] if module.name in STARTS_PROCESSES else ["starts processes, which is not listed"]
        return known + [f"runs {word}" for word in sorted(words & NETWORK_PROGRAMS)]
    return []


def _enters_something_harmless(node: ast.Call) -> bool:
    """``namespaces.enter`` with a kind that can be read here, and is not the network's."""
    kind = dotted(node.args[1]).rpartition(".")[2] if len(node.args) == 2 else ""
    return kind.startswith("CLONE_NEW") and kind != "CLONE_NEWNET"


def test_nobody_goes_around_the_gate() -> None:
    found = [text for each in modules("harness") if each.name != GATE for text in ways_around(each)]
    assert not found, "\n".join(found)


def test_nothing_is_excepted_that_does_not_exist() -> None:
    names = {module.name for module in modules("harness")}
    assert {
        *READS_NETLINK,
        *READS_FRAMES,
        *STARTS_PROCESSES,
        *SETS_UP_A_GUEST,
        *STEERS_RECORDING,
        ENTERS_NAMESPACES,
        GATE,
    } <= names


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("from pyroute2 import IPRoute", "takes IPRoute"),
        ("from pyroute2.netlink.nfnetlink.nftsocket import NFTSocket", "takes NFTSocket"),
        ("import pyroute2", "imports pyroute2 whole"),
        ("import socket\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)", "netlink socket"),
        ("import socket\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "packet socket"),
        ("open('/proc/sys/net/ipv4/ip_forward', 'w')", "where sysctls lie"),
        ("import fcntl\nfcntl.ioctl(3, 0x8914, b'')", "ioctl"),
        (
            f"from {NETWORK} import namespaces\nnamespaces._libc.setns(3, 0x40000000)",
            "setns",
        ),
        (
            f"from {NETWORK} import namespaces\nnamespaces.enter(3, 0x40000000)",
            "may be a network",
        ),
        (
            f"from {NETWORK}.namespaces import CLONE_NEWNET, enter\nenter(3, CLONE_NEWNET)",
            "may be",
        ),
        ("import os\nos.setns(3)", "setns"),
        ("import subprocess\nsubprocess.run(['/sbin/ip', 'link', 'del', 'eth0'])", "runs ip"),
        ("import os\nos.system('iptables -F')", "runs iptables"),
        ("import os\nos.execv('/bin/true', ['true'])", "starts processes"),
    ],
)
def test_ways_around_are_recognised(line: str, reason: str) -> None:
    module = Module("sockstates.planted", Path("planted.py"), ast.parse(line))
    assert any(reason in found for found in ways_around(module))


def test_a_datagram_socket_of_the_gate_may_be_asked() -> None:
    line = "with gate.interface_socket() as control:\n    fcntl.ioctl(control, 1, b'')"
    assert not ways_around(Module("sockstates.planted", Path("planted.py"), ast.parse(line)))
