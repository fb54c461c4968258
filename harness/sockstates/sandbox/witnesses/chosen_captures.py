"""Captures that a scenario chooses: a filter expression, and one interface of the host or all.

Lives in the host's agent. The expression is compiled by libpcap, here, where the lab's host names
are known; the kernel sifts. As with tcpdump, one interface gives Ethernet frames, and ``any``
gives packets without their link's header, under a "cooked" one that libpcap has for them
(LINKTYPE_LINUX_SLL2). Whole blocks go to the test process, which reads them. Judges nothing.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sockstates.captures.libpcap import FilterRefused, Instruction, compile_live, mask_of
from sockstates.record.events import FramesLost
from sockstates.sandbox.witnesses.packet_ring import (
    LOOPBACK_BLOCK_SIZE,
    PacketRing,
    attach_filter,
    packet_socket,
)

ETH_P_ALL = 0x0003
ANY: Final = "any"
BLOCKS = 32
ETHERNET, COOKED_2 = 1, 276
COOKED_HEADER: Final = 20
"""Octets of the header that libpcap's program for COOKED_2 expects before the packet."""

_OF_THE_KERNEL: Final = 0xFFFF_F000
"""SKF_AD_OFF: where a filter finds what the kernel knows beside the frame; linux/filter.h."""
_BESIDE_THE_FRAME: Final = {0: 0, 4: 8, 8: 28, 10: 4}
"""Offset in the cooked header -> in what the kernel knows: protocol, interface, link, kind."""
_CLASS, _LOADS, _MODE, _OF_PACKET = 0x07, (0x00, 0x01), 0xE0, (0x20, 0x40, 0xA0)
"""Of an instruction's code: loads of A and X, and their modes absolute, indexed, header length."""


@dataclass(frozen=True, slots=True)
class CapturedBlock:
    """A block of a chosen capture's ring, as it goes to the test process."""

    number: int
    data: bytes


class ChosenCaptures:
    """The chosen captures of one host that run now."""

    def __init__(
        self, host: str, selector: selectors.BaseSelector, send: Callable[[object], None]
    ) -> None:
        self._host = host
        self._selector = selector
        self._send = send
        self._running: dict[int, PacketRing] = {}

    def begin(self, number: int, expression: str, interface: str) -> None:
        """Capture what the expression is true of from now on.

        Raises FilterRefused, LibpcapMissing, OSError.
        """
        program = _program(expression, interface)
        with contextlib.ExitStack() as undo:
            receiver = undo.enter_context(_unbound(interface))
            try:
                attach_filter(receiver, program)
            except OSError as error:
                size = f"its program has {len(program)} instructions"
                reason = f"filter {expression!r}: this kernel refuses it; {size}: {error}"
                raise FilterRefused(reason) from error
            ring = PacketRing(
                receiver,
                lambda block: self._send(CapturedBlock(number, bytes(block))),
                blocks=BLOCKS,
                block_size=LOOPBACK_BLOCK_SIZE,
            )
            if interface != ANY:
                receiver.bind((interface, ETH_P_ALL))
            undo.pop_all()
        self._running[number] = ring
        self._selector.register(ring.fileno(), selectors.EVENT_READ, ring)

    def end(self, number: int) -> None:
        """Stop it, when all that it has captured by now is sent."""
        ring = self._running.pop(number)
        ring.settle()
        self._tell_losses(ring)
        self._selector.unregister(ring.fileno())
        ring.close()

    def settle(self) -> None:
        """Have all that is captured by now sent, and what was lost told."""
        for ring in self._running.values():
            ring.settle()
            self._tell_losses(ring)

    def _tell_losses(self, ring: PacketRing) -> None:
        lost = ring.count_losses()
        if lost:
            self._send(FramesLost(time.time_ns(), self._host, lost, chosen=True))


def _unbound(interface: str) -> socket.socket:
    """A packet socket that hears nothing yet, or, for all interfaces, what nobody will see.

    What such a one hears before it has its filter the kernel throws away when it gets its ring
    (packet_set_ring, net/packet/af_packet.c).
    """
    if interface == ANY:
        return packet_socket(socket.SOCK_DGRAM, ETH_P_ALL)
    return packet_socket(socket.SOCK_RAW)


def _program(expression: str, interface: str) -> list[Instruction]:
    link_type = COOKED_2 if interface == ANY else ETHERNET
    program = compile_live(expression, link_type, mask_of(interface))
    return [_uncooked(each, expression) for each in program] if interface == ANY else program


def _uncooked(instruction: Instruction, expression: str) -> Instruction:
    """The instruction for a packet without the cooked header, which is made later.

    As libpcap's fix_offset (pcap-linux.c) has it: what comes behind the header moves to the front;
    what is in it, the kernel knows. Raises FilterRefused for the rest.
    """
    code, true, false, k = instruction
    if code & _CLASS not in _LOADS or code & _MODE not in _OF_PACKET or k >= _OF_THE_KERNEL:
        return instruction
    if k >= COOKED_HEADER:
        return code, true, false, k - COOKED_HEADER
    if k not in _BESIDE_THE_FRAME:
        raise FilterRefused(
            f"filter {expression!r}: it reads the link's header, which is not there when all "
            "interfaces are captured; choose one: interface=…"
        )
    return code, true, false, _OF_THE_KERNEL + _BESIDE_THE_FRAME[k]
