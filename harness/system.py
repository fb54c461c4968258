"""What a run happens on, in one line: the kernel, and whose time it keeps."""

from __future__ import annotations

import os
import platform

VIRTUAL = "SOCKSTATES_VIRTUAL"
"""Environment variable of every process in a virtual kernel: what there is to say of its clock."""


def system_text() -> str:
    """The kernel's name and release; in a virtual kernel also that, and its ticks per second."""
    system = f"{platform.system()} {platform.release()}"
    virtual = os.environ.get(VIRTUAL)
    return f"{system}, {virtual}" if virtual else system
