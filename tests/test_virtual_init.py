"""The first process of a virtual kernel, on a kernel that is none."""

from pathlib import Path

import pytest

from sockstates.virtual import init


def test_it_does_nothing_on_another_kernel(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="mount hostfs"):
        init.main(tmp_path)
    assert not list(tmp_path.iterdir())
