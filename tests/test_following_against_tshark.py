"""tshark judges how connections are followed: made-up captures always, real ones where there are.

SOCKSTATES_CAPTURES names a folder: every capture below it is compared, as CI does with those of
its own run of the scenarios.
"""

import os
import shutil
from pathlib import Path

import pytest

from harness.tcp.marks import Mark
from tests.judge_captures import ANALYSIS, disagreements, followed
from tests.made_captures import made, write_pcap

CAPTURES = os.environ.get("SOCKSTATES_CAPTURES")
SEEDS = (1, 2, 3, 4)

pytestmark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="needs tshark: apt install tshark"
)


@pytest.mark.parametrize("seed", SEEDS)
def test_tshark_finds_the_same_in_made_up_captures(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "made.pcap"
    write_pcap(path, made(seed))
    assert list(disagreements(path)) == []


def test_the_made_up_captures_have_everything_to_be_found(tmp_path: Path) -> None:
    path = tmp_path / "made.pcap"
    found: set[str] = set()
    for seed in SEEDS:
        write_pcap(path, made(seed))
        found |= {field for facts, _ in followed(path).values() for field in facts}
    assert {f"tcp.analysis.{ANALYSIS[mark]}" for mark in Mark} <= found


@pytest.mark.skipif(CAPTURES is None, reason="SOCKSTATES_CAPTURES names no folder of captures")
def test_tshark_finds_the_same_in_real_captures() -> None:
    paths = sorted(Path(CAPTURES or "").rglob("*.pcap*"))
    assert paths
    assert [text for path in paths for text in disagreements(path)] == []
