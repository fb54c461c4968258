"""One virtual kernel with one command in it: started, watched, and ended with all that it is.

User Mode Linux is an ordinary program: its processes are the host's, of one group, and die with the
program; the program dies with the process that started it (prctl(2), PR_SET_PDEATHSIG). So nothing
is left however this process ends. What the command writes to its standard output and error lies in
files of the guest's folder as soon as it is written.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from harness.system import VIRTUAL
from harness.virtual import init
from harness.virtual.errors import GuestFailed
from harness.virtual.kernels import Kernel

MEMORY: Final = 1024
"""MiB that a guest may use; it takes of the host only what it touches."""
LIMIT: Final = 900.0
"""Seconds of the host's clock after which a guest is ended."""
POLL: Final = 0.01
"""Seconds between two looks at what a guest has written."""
KERNEL_LOG = "kernel.log"
WITHOUT_RSEQ = "glibc.pthread.rseq=0"
"""glibc registers an area for restartable sequences (rseq(2)) that the processes in which 6.1 and
6.12 run their programs inherit and then unmap; the host's kernel ends them at the next signal."""
_PR_SET_PDEATHSIG = 1


class Guest:
    """A virtual kernel that runs `command`; use it in a ``with`` statement.

    `shared` are the folders of the host in which what it writes is kept; `directory` is where the
    command runs. `limit` is in seconds of the host's clock. With `spins` computing takes time too,
    for programs that wait by looking at the clock again and again. Guests with other numbers run on
    other processors: all that a guest is takes turns, and is faster on one than on several.
    """

    def __init__(
        self,
        kernel: Kernel,
        command: Sequence[str],
        *,
        directory: Path,
        shared: Sequence[Path] = (),
        environment: Mapping[str, str],
        limit: float = LIMIT,
        memory: int = MEMORY,
        spins: bool = False,
        number: int = 0,
    ) -> None:
        self.kernel = kernel
        self.limit = limit
        self.folder = _own_folder()
        self._began = time.monotonic()
        mark = {VIRTUAL: f"virtual time, HZ {kernel.hz}"}
        order = {
            "name": f"linux-{kernel.version}",
            "command": list(command),
            "directory": str(directory),
            "shared": [str(each.resolve()) for each in shared],
            "environment": {**environment, **mark},
        }
        (self.folder / init.ORDER).write_text(json.dumps(order))
        try:
            self._process = self._boot(memory, spins, number)
        except OSError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise GuestFailed(f"{kernel.path} cannot be started: {error.strerror}") from error

    def _boot(self, memory: int, spins: bool, number: int) -> subprocess.Popen[bytes]:
        arguments = [
            str(self.kernel.path),
            f"mem={memory}M",
            *("rootfstype=hostfs", "root=/dev/root", "ro"),
            *("con=null", "con0=null,fd:1", "quiet"),
            "time-travel" if spins else "time-travel=inf-cpu",
            f"time-travel-start={time.time_ns()}",
            f"uml_dir={self.folder}",
            *self.kernel.arguments,
            f"init={self.folder}/python",
            *("--", "-I", "-S", f"{self.folder}/init.py", str(self.folder)),
        ]
        with (self.folder / KERNEL_LOG).open("wb") as log:
            return subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
                preexec_fn=_before_it_runs(os.getpid(), number),  # noqa: PLW1509 (no threads here yet)
            )

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def seconds(self) -> float:
        """Seconds of the host's clock since it was started."""
        return time.monotonic() - self._began

    def running(self) -> bool:
        """Whether it still runs; raises GuestFailed when its time is over."""
        if self._process.poll() is not None:
            return False
        if self.seconds > self.limit:
            self._kill()
            raise GuestFailed(
                f"the virtual kernel {self.kernel.version} was ended: it had not come to an end "
                f"after {self.limit:g} s.\nA program that waits by looking at the clock again and "
                "again hangs where computing takes no time: run it with time for computing "
                "(--spins, --lab-virtual-spins), or give it longer (--limit, --lab-virtual-limit)."
            )
        return True

    def status(self) -> int:
        """The command's exit status, 128 + N when signal N ended it; of a guest that has ended.

        Raises GuestFailed, with what the kernel has said last, when the command has none.
        """
        with suppress(FileNotFoundError, ValueError):
            return int((self.folder / init.STATUS).read_text())
        with suppress(FileNotFoundError):
            failure = (self.folder / init.FAILURE).read_text().strip()
            raise GuestFailed(
                f"the virtual kernel {self.kernel.version} could not prepare for the command:\n"
                f"{failure.splitlines()[-1]}\nBuild it anew if it is not of this project's "
                f"making: python -m harness kernel build --version {self.kernel.version} --force"
            )
        said = (self.folder / KERNEL_LOG).read_text(errors="replace").splitlines()
        last = "\n  ".join(line.rstrip() for line in said[-12:])
        raise GuestFailed(
            f"the virtual kernel {self.kernel.version} ended before its command did "
            f"(exit status {self._process.returncode}). It said last:\n  {last}"
        )

    def wait(self, follow: Callable[[], object] = lambda: None) -> int:
        """Wait until the command has ended; `follow` is called again and again, and once after.

        The command's exit status; errors as for `running` and `status`.
        """
        try:
            while self.running():
                follow()
                time.sleep(POLL)
        finally:
            follow()
        return self.status()

    def output(self) -> str:
        """What the command has written to its standard output and error."""
        return "".join(
            (self.folder / name).read_text(errors="replace") for name in (init.OUTPUT, init.ERRORS)
        )

    def close(self) -> None:
        """End it, if it still runs, and remove its folder."""
        self._kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _environment() -> dict[str, str]:
    """The kernel's own, not the command's.

    The last variable must be short, and neither PATH nor a tunable: from where the highest string
    of its environment lies a newer kernel infers where its stack ends, and those two it has copied.
    """
    kept = {name: os.environ[name] for name in ("TMPDIR",) if name in os.environ}
    return {"PATH": os.defpath, "GLIBC_TUNABLES": WITHOUT_RSEQ, **kept, "HOME": "/"}


def _own_folder() -> Path:
    """A new folder with all that the guest needs of its own; only the user can read it."""
    folder = Path(tempfile.mkdtemp(prefix="sockstates-guest-")).resolve()
    if " " in str(folder):
        folder.rmdir()
        raise GuestFailed(
            f"the temporary folder has a space in its name: {folder.parent}\n"
            "A kernel's command line cannot name it; set TMPDIR to another one."
        )
    for name in ("memory", "root"):
        (folder / name).mkdir()
    for name in (init.OUTPUT, init.ERRORS):
        (folder / name).touch()
    shutil.copyfile(Path(init.__file__), folder / "init.py")
    (folder / "python").symlink_to(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    return folder


def _before_it_runs(parent: int, number: int) -> Callable[[], None]:
    """What the new process does first: ask to die with its parent, and settle on one processor."""
    usable = sorted(os.sched_getaffinity(0))
    processor = usable[number % len(usable)]
    prctl = ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.sched_setaffinity(0, {processor})

    return ask
