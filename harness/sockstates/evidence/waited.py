"""How long was waited, in words."""

from __future__ import annotations


def waited_text(seconds: float) -> str:
    """``1.5 s``, or ``3 ms`` where tenths of a second would say nothing."""
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"
