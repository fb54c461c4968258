"""The process that holds every lab of one test process.

It leaves the machine's namespaces (as root directly, otherwise through a user namespace), then
lives as process 1 of a PID namespace and gives birth to the hosts. When the test process ends,
for whatever reason, its end of the lifeline closes; this process then ends, the kernel kills all
that is in the PID namespace, and with the last process every network namespace, interface, rule
and mount is gone. There is nothing to clean up.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import NoReturn

import psutil

from sockstates.record.events import HostReady
from sockstates.sandbox import boundary
from sockstates.sandbox.agent.agent import Description, be_a_host
from sockstates.sandbox.network import gate, namespaces, settings
from sockstates.sandbox.network.groups import answer_setgroups
from sockstates.sandbox.network.interfaces import prepare
from sockstates.sandbox.network.topology import LABS, Family, Plan, host_names, plan
from sockstates.sandbox.request import MESSAGE_SIZE, MOST_DESCRIPTORS, LabRequest
from sockstates.sandbox.witnesses.perf_events import OpenEvents
from sockstates.sandbox.witnesses.tracing import Watched, open_in_sandbox

DESCRIPTORS_PER_HOST = 3


@dataclass(slots=True)
class _Birth:
    """A host that is being born: its process, the sandbox's line to it, its packet socket."""

    pid: int
    line: socket.socket
    capture: list[int] = field(default_factory=list)


@dataclass
class _Sandbox:
    """The state of the sandbox: its labs and what it needs to make more."""

    requests: socket.socket
    own_pid_namespace: int
    user_namespace: int
    """Where hosts live: a user namespace below the sandbox's."""
    labs: dict[int, list[int]] = field(default_factory=dict)
    traced: OpenEvents = field(default_factory=OpenEvents)

    def serve(self) -> None:
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.requests, MESSAGE_SIZE, MOST_DESCRIPTORS)
            if not data:
                return
            what, argument = pickle.loads(data)
            answer: Plan | Watched | Exception | None = None
            captures: list[int] = []
            try:
                if what == "open":
                    answer, captures = self._open(argument, descriptors)
                elif what == "trace":
                    answer, captures = self._trace(argument)
                else:
                    self._close(argument)
            except (OSError, ValueError) as error:
                answer = error
            socket.send_fds(self.requests, [pickle.dumps(answer)], captures)
            for descriptor in (*descriptors, *captures):
                os.close(descriptor)

    def _open(self, request: LabRequest, descriptors: list[int]) -> tuple[Plan, list[int]]:
        names = host_names(request.hosts, router=request.router, wire=request.wire)
        prepare(request.hosts, router=request.router, wire=request.wire)
        births: dict[str, _Birth] = {}
        try:
            for position, host in enumerate(names):
                start = DESCRIPTORS_PER_HOST * position
                own = descriptors[start : start + DESCRIPTORS_PER_HOST]
                births[host] = self._bear(request, host, own, descriptors, births)
            made = plan(
                request.hosts, router=request.router, wire=request.wire, number=_lab_number(births)
            )
            self._connect(request, made, births)
        except BaseException:
            self._end([birth.pid for birth in births.values()])
            for birth in births.values():
                for descriptor in birth.capture:
                    os.close(descriptor)
            raise
        finally:
            for birth in births.values():
                birth.line.close()
        self.labs[request.lab] = [birth.pid for birth in births.values()]
        return made, [descriptor for birth in births.values() for descriptor in birth.capture]

    def _trace(self, size: int) -> tuple[Watched, list[int]]:
        """Have the kernel's tracepoints recorded: how to read them, and the rings to be read."""
        watched, self.traced = open_in_sandbox(size, most=MOST_DESCRIPTORS)
        return watched, [os.dup(ring) for ring in self.traced.rings]

    def _bear(
        self,
        request: LabRequest,
        host: str,
        own: list[int],
        descriptors: list[int],
        births: dict[str, _Birth],
    ) -> _Birth:
        ours, theirs = socket.socketpair()
        namespaces.unshare(namespaces.CLONE_NEWPID)
        pid = os.fork()
        if not pid:
            for line in (ours, self.requests, *(birth.line for birth in births.values())):
                line.close()
            for descriptor in set(descriptors) - set(own):
                os.close(descriptor)
            control, memory, bell = own
            os.close(self.own_pid_namespace)
            self.traced.close_in_child()
            lab = request.lab if request.wire else 0
            description = Description(host, request.capture_loopback, lab)
            line, where = socket.socket(fileno=control), self.user_namespace
            _live(description, line, memory, bell, theirs, user_namespace=where)
        namespaces.children_in(self.own_pid_namespace)
        theirs.close()
        return _Birth(pid, ours)

    @staticmethod
    def _connect(request: LabRequest, made: Plan, births: dict[str, _Birth]) -> None:
        """Lay the cables, then tell each host how to set up its ends, and everybody's names."""
        prepared = prepare(request.hosts, router=request.router, wire=request.wire)
        for position, ends in enumerate(made.cables):
            processes = births[ends[0].host].pid, births[ends[1].host].pid
            gate.send_messages(prepared.cable(position, processes))
        hosts_file = _hosts_file(made, request.families)
        for host, birth in births.items():
            names = tuple(interface.name for interface in made.interfaces(host))
            messages = prepared.host(host, made.number)
            birth.line.send(pickle.dumps((names, messages, hosts_file)))

    def _close(self, lab: int) -> None:
        self._end(self.labs.pop(lab, []))

    @staticmethod
    def _end(processes: list[int]) -> None:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in processes:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _live(
    description: Description,
    control: socket.socket,
    memory: int,
    bell: int,
    starter: socket.socket,
    *,
    user_namespace: int,
) -> NoReturn:
    """Be the host until the end, and never come back; a failure is told to the sandbox."""
    try:
        boundary.enter_host(description.name, user_namespace)
        be_a_host(description, control, memory, bell, starter)
    except BaseException as error:
        if isinstance(error, OSError) and starter.fileno() >= 0:
            with contextlib.suppress(OSError):
                starter.send(f"{error.errno or 0}:{error.strerror or error}".encode())
        else:  # the sandbox does not listen any more
            import traceback

            traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _lab_number(births: dict[str, _Birth]) -> int:
    """Wait until every host has its namespaces; a number that no other lab on the machine has.

    It is taken from the inode of the first host's network namespace: the kernel hands these out
    densely and never twice at a time.
    """
    inodes: list[int] = []
    for host, birth in births.items():
        word, birth.capture, _, _ = socket.recv_fds(birth.line, MESSAGE_SIZE, 1)
        if not word.isdigit():
            number, _, reason = word.decode().partition(":")
            told = reason or "it ended immediately"
            raise OSError(int(number or 0), f"host {host!r} could not be made: {told}")
        inodes.append(int(word))
    return inodes[0] % LABS


def _hosts_file(made: Plan, families: tuple[Family, ...]) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [
        f"{addresses[family]} {host}"
        for family in families
        for host, addresses in made.names.items()
    ]
    return "\n".join(lines) + "\n"


def _leave_the_machine() -> None:
    """New namespaces for all that follows; as root directly, otherwise as root of our own."""
    flags = (
        namespaces.CLONE_NEWNS
        | namespaces.CLONE_NEWNET
        | namespaces.CLONE_NEWPID
        | namespaces.CLONE_NEWUTS
        | namespaces.CLONE_NEWIPC
    )
    try:
        namespaces.unshare(flags)
    except PermissionError:
        namespaces.become_root_of_new_user_namespace()
        namespaces.unshare(flags)
        with contextlib.suppress(OSError):  # then programs that change their groups do not run
            answer_setgroups()
    namespaces.mount("none", "/", None, namespaces.MS_REC | namespaces.MS_PRIVATE)


def _guard(child: int, lifeline: socket.socket) -> int:
    """Outside the PID namespace: end the sandbox when the test process is gone."""
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    poll.poll()
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return 0 if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def _warm_up() -> None:
    """Do first what every host does first; its agent then inherits the outcome."""
    prepare(("client", "server"), router=False, wire=False)
    boundary.handles_in_proc()
    psutil.net_connections(kind="tcp")
    pickle.loads(pickle.dumps(HostReady(0, "", 0, {})))
    gc.freeze()


def main() -> int:
    """Leave the machine's namespaces, then serve requests until the test process is gone."""
    requests, lifeline = (socket.socket(fileno=int(number)) for number in sys.argv[1:])
    try:
        _leave_the_machine()
    except OSError as error:
        requests.send(pickle.dumps(error))
        return 1
    child = os.fork()
    if child:
        requests.close()
        return _guard(child, lifeline)
    lifeline.close()
    namespaces.die_with_parent(signal.SIGKILL)
    try:
        boundary.seal_the_machine()
        namespaces.mount("proc", "/proc", "proc", namespaces.MS_NOSUID)
        settings.pin(dict([settings.SMALL_HASH_TABLE]))
        own = os.open("/proc/self/ns/pid", os.O_RDONLY)
        sandbox = _Sandbox(requests, own, namespaces.new_user_namespace())
        _warm_up()
    except OSError as error:
        requests.send(pickle.dumps(error))
        return 1
    requests.send(pickle.dumps(("ready", os.getuid(), time.time_ns())))
    sandbox.serve()
    return 0
