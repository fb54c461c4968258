"""tshark judges how connections are followed: made-up captures always, real ones where there are.

SOCKSTATES_CAPTURES names a folder: every capture below it is compared, as CI does with those of
its own run of the scenarios.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from sockstates.captures.pcapng_writer import write_pcapng
from sockstates.record.frames import CapturedFrame
from sockstates.tcp.marks import Mark
from tests.judge_captures import (
    ANALYSIS,
    addresses,
    disagreements,
    followed,
    judged,
    judged_together,
)
from tests.made_captures import made, write_pcap
from tests.real_captures import over_real_captures, real_captures

SEEDS = (1, 2, 3, 4)

pytestmark = pytest.mark.programs("tshark")


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


def test_many_captures_at_a_time_are_judged_as_each_alone(tmp_path: Path) -> None:
    """Two with the same addresses, and two with others."""
    paths = [tmp_path / f"{number}.pcapng" for number in range(4)]
    for path, seed, network in zip(paths, (1, 2, 3, 3), (10, 10, 11, 12), strict=True):
        moved = [
            replace(
                each,
                source=(bytes([network]) + each.source[0][1:], each.source[1]),
                target=(bytes([network]) + each.target[0][1:], each.target[1]),
            ).frame()
            for each in made(seed)
        ]
        frames = enumerate(moved, start=1_700_000_000_000_000)
        write_pcapng(
            path,
            [CapturedFrame(time * 1000, "a:eth0", "in", each, len(each)) for time, each in frames],
        )
    alone = {path: judged(path) for path in paths}
    assert all(alone.values())
    assert dict(judged_together(paths, tmp_path / "joined.pcapng")) == alone
    assert addresses(paths[0]) & addresses(paths[1])
    assert not addresses(paths[2]) & addresses(paths[3])


@over_real_captures
def test_tshark_finds_the_same_in_real_captures(tmp_path: Path) -> None:
    paths = real_captures()
    together = dict(judged_together(paths, tmp_path / "joined.pcapng"))
    assert sorted(together) == paths
    assert any(together.values())
    found = [text for path in paths for text in disagreements(path, together[path])]
    assert found == []
