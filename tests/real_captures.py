"""The captures below the folder that SOCKSTATES_CAPTURES names: those of a run of the scenarios.

`tox -e captures` has them read by us and by others; without the folder such a test is deselected.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = os.environ.get("SOCKSTATES_CAPTURES")


def real_captures(pattern: str = "*.pcapng") -> list[Path]:
    """All of them, sorted; none without the folder."""
    return sorted(Path(FOLDER).rglob(pattern)) if FOLDER else []


def over_real_captures(test: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a test of them: `-m real_captures` chooses it."""
    given = pytest.mark.only_where(bool(FOLDER), reason="SOCKSTATES_CAPTURES names a folder")
    marked: Callable[..., Any] = pytest.mark.real_captures(given(test))
    return marked
