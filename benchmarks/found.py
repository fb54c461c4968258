"""What a benchmark tells: each figure that it found, beside the one that is wished.

A benchmark is red only where something was lost without being counted, or was wrong: how fast it
went says as much of what else the machine did as of this project. Figures of one run are compared
with each other, as ratios, which other work changes least.
"""

from collections.abc import Mapping
from typing import Any


def tell(benchmark: Any, found: Mapping[str, object], **wished: object) -> None:
    """Print the figures, and keep them for ``--benchmark-json``; `wished` by the same names."""
    benchmark.extra_info |= {**found, "wished": wished}
    width = max(map(len, found))
    print()
    for name, figure in found.items():
        beside = f"   wished {wished[name]}" if name in wished else ""
        print(f"  {name:{width}}  {figure}{beside}")
