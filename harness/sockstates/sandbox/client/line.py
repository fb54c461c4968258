"""The line to one host's agent: requests and answers, its events, its captured frames."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from itertools import count
from typing import TYPE_CHECKING, Any

from sockstates.record.events import HostReady
from sockstates.sandbox.channel import Channel, ChannelClosedError
from sockstates.sandbox.client.errors import HostGone, LabError
from sockstates.sandbox.protocol import Request, remote
from sockstates.sandbox.witnesses.capture import FrameReader
from sockstates.sandbox.witnesses.chosen_captures import CapturedBlock

if TYPE_CHECKING:
    from sockstates.lab.filtered_capture import FilteredCapture
    from sockstates.lab.lab import Lab

_CREDENTIALS = struct.Struct("=3i")
"""struct ucred: process, user, group."""
ANSWER_LIMIT = 30.0
"""Seconds in which an agent that is alive answers, however busy the machine is."""


class Line:
    """Our end of what connects us with a host's agent."""

    def __init__(self, lab: Lab, host: str) -> None:
        self.lab = lab
        self.host = host
        self._ours, self._theirs = socket.socketpair()
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.channel = Channel(self._ours)
        self.memory = os.memfd_create(f"frames of {host}")
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.frames = FrameReader(self.memory, {})
        self.captures: dict[int, FilteredCapture] = {}
        """Those that the scenario chose here, by number."""
        self.ready: HostReady | None = None
        self.gone = False
        self.pid = 0
        self.lost = 0
        """Frames that the host's capture had lost at the last `settle`."""
        self._numbers = count(1)
        self._answers: dict[int, tuple[Any, Exception | None]] = {}
        self.agent = remote(self.ask)
        """The host's agent, to be asked for what it can do."""

    def descriptors(self) -> list[int]:
        """What the agent gets: its end of the line, the memory for frames, the bell."""
        return [self._theirs.fileno(), self.memory, self.bell]

    def handed_over(self) -> None:
        """The agent has its descriptors; from now on its death is seen on the line."""
        self._theirs.close()

    def watch(self, seconds: float) -> None:
        """Have the host sampled closely for so long; nobody waits for an answer."""
        with contextlib.suppress(ChannelClosedError):
            self._send(0, "watch", (seconds,), {})

    def ask(self, request: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A request and its answer; the agent's exception is raised here.

        Errors: HostGone when the agent has ended or does not answer, LabError for what is no
        request of :class:`HostAgent`.
        """
        number = next(self._numbers)
        try:
            self._send(number, request, arguments, named)
        except ChannelClosedError:
            self.gone = True
        self.lab.pump_until(lambda: number in self._answers or self.gone, ANSWER_LIMIT)
        if number not in self._answers:
            raise HostGone(
                f"host {self.host!r} did not answer ({request}): its agent "
                + (
                    "has ended. See what it wrote on standard error."
                    if self.gone
                    else f"has not answered for {ANSWER_LIMIT:g} s"
                )
            )
        result, error = self._answers.pop(number)
        if isinstance(error, (TypeError, AttributeError, OverflowError)):
            raise LabError(f"host {self.host!r} cannot do this ({request}): {error}") from error
        if error is not None:
            raise error
        return result

    def _send(self, *request: *Request) -> None:
        self.channel.send(request)

    def settle(self) -> int:
        """Have the agent record what has happened by now; the samples that it took so far."""
        timeline = self.lab.timeline
        settled = self.agent.settle()
        timeline.sampled[self.host] = settled.sampled_at
        timeline.glanced[self.host] = settled.glanced_at
        self.lost = settled.lost
        self.read_frames()
        return settled.samples

    def read(self) -> None:
        """Take in what the agent has sent."""
        if not self.pid:
            self.pid = self._sender()
        try:
            messages = self.channel.receive()
        except ChannelClosedError:
            self.gone = True
            return
        for message in messages:
            if isinstance(message, CapturedBlock):
                self.captures[message.number].take_in(message.data)
            elif not isinstance(message, tuple):
                self.lab.timeline.add(message)
            elif isinstance(message[0], HostReady):
                self.ready, names = message
                self.frames = FrameReader(
                    self.memory, {index: f"{self.host}:{name}" for index, name in names.items()}
                )
                self.lab.timeline.add(self.ready)
            else:
                number, result, error = message
                self._answers[number] = result, error

    def _sender(self) -> int:
        """The agent's process id as this process numbers it: the kernel translates it, unix(7).

        0 when the agent has ended without a word.
        """
        with contextlib.suppress(BlockingIOError, ConnectionError):
            _, ancillary, _, _ = self._ours.recvmsg(
                1, socket.CMSG_SPACE(_CREDENTIALS.size), socket.MSG_PEEK
            )
            for _, kind, data in ancillary:
                if kind == socket.SCM_CREDENTIALS:
                    return int(_CREDENTIALS.unpack(data)[0])
        return 0

    def read_frames(self) -> None:
        """Take in what the agent has captured."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.bell)
        self.lab.timeline.add_frames(self.host, self.frames.read())

    def close(self) -> None:
        """Let go of everything."""
        self._theirs.close()
        self.channel.close()
        os.close(self.memory)
        os.close(self.bell)
