"""Labs of failed scenarios that stay open until the person at the terminal is done with them."""

from __future__ import annotations

import os
import selectors
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

import pytest

from sockstates.plugin.terminal import without_capture

if TYPE_CHECKING:
    from sockstates.lab.host import Host
    from sockstates.lab.lab import Lab


class KeptLabs:
    """Kept labs of this session, with the scenarios that they belong to."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.labs: list[tuple[str, Lab]] = []

    def keep(self, nodeid: str, lab: Lab) -> None:
        """Keep this lab; its scenario is over."""
        self.labs.append((nodeid, lab))
        lab.keep = True

    def wait(self) -> None:
        """Say how to enter every host, and wait for Enter (without a terminal: Ctrl-C)."""
        if not self.labs:
            return
        # A background job of a shell is born ignoring SIGINT, which is what we invite people to
        # send. From the first word on: who reads it may press Ctrl-C before the wait has begun.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with without_capture(self._config), suppress(KeyboardInterrupt):
            self._invite_and_wait()
        for _, lab in self.labs:
            lab.close()
        self.labs[0][1].sandbox.close()

    def _invitation(self, keyboard: TextIO | None) -> list[str]:
        lines = ["", "Kept open. To enter a host (then, for example: ss -tano; tcpdump -ni eth0):"]
        for nodeid, lab in self.labs:
            lines += ["", f"  {nodeid}"]
            lines += [f"    {name:<8}  {enter_command(host)}" for name, host in lab.hosts.items()]
        how = "Enter" if keyboard is not None else f"Ctrl-C, or: kill -INT {os.getpid()}"
        return [*lines, "", f"To end {'it' if len(self.labs) == 1 else 'them all'}: {how}"]

    def _invite_and_wait(self) -> None:
        keyboard = _keyboard()
        print("\n".join(self._invitation(keyboard)), flush=True)
        try:
            self._wait_for_person(keyboard)
        finally:
            if keyboard is not None:
                keyboard.close()

    def _wait_for_person(self, keyboard: TextIO | None) -> None:
        """Until Enter or Ctrl-C; what the hosts record meanwhile is taken in, as it always is."""
        with selectors.DefaultSelector() as selector:
            if keyboard is not None:
                selector.register(keyboard, selectors.EVENT_READ)
            for _, lab in self.labs:
                selector.register(lab, selectors.EVENT_READ, lab)
            while not self._take_in(selector):
                pass

    @staticmethod
    def _take_in(selector: selectors.BaseSelector) -> bool:
        """Wait for something to come; whether it was the person's Enter."""
        for key, _ in selector.select():
            if key.data is None:
                return True
            key.data.take_in()
        return False


def enter_command(host: Host) -> str:
    """The command that opens a shell on a host, or runs what follows it: nsenter(1).

    It goes through the user namespace that hosts live in, whose root we are.
    """
    return f"nsenter -t {host.pid} -U --preserve-credentials -n -m -u -p"


def _keyboard() -> TextIO | None:
    """The person's keyboard, where output goes to a terminal; tty(4).

    Not standard input: pytest replaces that while it captures.
    """
    if not sys.stdout.isatty():
        return None
    try:
        return open("/dev/tty")
    except OSError:
        return None
