"""System calls on sockets that may wait: each is the real call, in a thread of its own.

So SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, SO_LINGER, MSG_WAITALL and whatever else decides how long
a call waits, and with what it ends, are the kernel's doing, and none of ours; and a call that waits
holds up nothing but its own thread: not the agent's loop, no other call, no witness.

The agent has to know when a call has got as far as it gets by itself: ended, or asleep in the
kernel. A thread's own entry in /proc says that, proc_pid_syscall(5).
"""

from __future__ import annotations

import errno
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

INTERRUPTING = signal.SIGUSR1
"""What ends a call that waits, when its socket is closed."""
LARGEST_DESCRIPTOR = 1 << 20
STACK = 1 << 18
"""Bytes. A thread makes one system call; the usual stack is 8 MiB of address space."""


class BlockingCall:
    """One system call; `attempt` makes it, and returns its result or raises."""

    def __init__(self, number: int, name: str, attempt: Callable[[], object]) -> None:
        self.number = number
        self.name = name
        self.ended_at = 0
        """When it returned (CLOCK_REALTIME, ns); 0 while it has not."""
        self.result: object = None
        self.error = 0
        self._attempt = attempt
        self._ended: Callable[[BlockingCall], None] = lambda _: None
        self._lock = threading.Lock()
        self._interrupted = False
        self._looks = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self, ended: Callable[[BlockingCall], None]) -> None:
        """Make the call; `ended` is told from the call's own thread."""
        self._ended = ended
        before = threading.stack_size(STACK)
        try:
            self._thread.start()
        finally:
            threading.stack_size(before)

    def _run(self) -> None:
        # Only INTERRUPTING may end a call: after any other signal it would begin anew, and with it
        # the time of SO_RCVTIMEO; signal(7), PEP 475.
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals() - {INTERRUPTING})
        try:
            self.result = self._attempt()
        except OSError as error:
            self.error = error.errno or errno.EIO
        with self._lock:
            self.ended_at = time.time_ns()
            if self.error and self._interrupted:
                self.result, self.error = None, errno.EBADF
        self._ended(self)

    def rests(self) -> bool:
        """Whether it has ended, or waits in the kernel for something that has not happened."""
        if self.ended_at:
            return True
        thread = Path(f"/proc/self/task/{self._thread.native_id}")
        try:
            words = (thread / "syscall").read_text().split()
        except FileNotFoundError:
            return bool(self.ended_at) or self._sleeps(thread)
        except OSError:  # its thread has just ended
            return bool(self.ended_at)
        return len(words) > 2 and (int(words[1], 16) < LARGEST_DESCRIPTOR or words[2] == "0x1")

    def _sleeps(self, thread: Path) -> bool:
        """As well as a kernel without CONFIG_HAVE_ARCH_TRACEHOOK can tell.

        It may sleep only until the interpreter lets it go on; not also when the agent looks again.
        """
        try:
            state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        self._looks = self._looks + 1 if state == "S" else 0
        return self._looks > 1

    def interrupt(self) -> None:
        """Have it end, and wait until it has. Its descriptor must lead elsewhere by now.

        Python begins an interrupted call anew, which then fails on that descriptor.
        """
        with self._lock:
            self._interrupted = True
            if not self.ended_at and self._thread.ident is not None:
                signal.pthread_kill(self._thread.ident, INTERRUPTING)
        self._thread.join()


def can_be_interrupted() -> None:
    """Prepare this process, in its main thread, for :meth:`BlockingCall.interrupt`."""
    signal.signal(INTERRUPTING, lambda _number, _frame: None)
