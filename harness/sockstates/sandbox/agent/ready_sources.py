"""What an event loop has to handle next: only what it still waits for.

One look of a selector finds several sources ready, and handling one can take away, close or replace
another: a request ends a capture whose block waits, a program's end closes its outputs. The key of
what is gone then tells of something that is not there any more.
"""

from __future__ import annotations

import selectors
from collections.abc import Iterator


def ready_sources(
    selector: selectors.BaseSelector, timeout: float | None
) -> Iterator[tuple[object, int]]:
    """What is ready, and for what, one after the other; each asked about when its turn comes.

    Left out is what nobody waits for any more since the selector looked, although its descriptor
    may belong to another source now: that one is for the next look.
    """
    for key, mask in selector.select(timeout):
        current = selector.get_map().get(key.fd)
        if current is not None and current.data is key.data and mask & current.events:
            yield key.data, mask & current.events
