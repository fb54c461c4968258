"""A scenario's evidence as files: a capture for each host, and the timeline as text."""

from __future__ import annotations

from pathlib import Path

from harness.evidence.timeline import Timeline
from harness.report.text import text_timeline


def write_folder(timeline: Timeline, folder: Path) -> None:
    """Write the evidence into `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "timeline.txt").write_text(text_timeline(timeline) + "\n")
