"""No text that an outsider can set reaches a terminal, or a file shown in one, as it was."""

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sockstates.__main__ import main
from sockstates.captures.pcapng_writer import CaptureInterface, Section, write_pcapng
from sockstates.record.events import (
    CallBegan,
    CallEnded,
    CaptureChosen,
    CounterRead,
    Figure,
    HostReady,
    ProcessSeen,
    ProgramStarted,
    ProgramWrote,
    RuleChanged,
    SegmentCrafted,
    Step,
    SysctlSet,
)
from sockstates.record.frames import CapturedFrame
from sockstates.record.timeline import HostNames, Timeline
from sockstates.report.folder import write_folder
from sockstates.tcp.segment import Address
from sockstates.terminal import harmless, harmless_line
from tests.module_trees import PROJECT
from tests.recorded import Written, at, empty_timeline, frame_octets, sends
from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
CLIENT, SERVER = Address("10.0.0.1", 43210), Address("10.0.0.2", 80)
HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\x9b31md\x7fe\u202ef\u2066g\rh\x08i\x00j"
"""Retitles the window, clears the screen, in C0 and in C1; deletes; turns text around; overwrites.
"""
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def assert_harmless(text: str) -> None:
    found = FORBIDDEN.search(text)
    assert found is None, repr(text[max(0, found.start() - 60) : found.end() + 20])


def test_every_control_character_becomes_one_that_shows() -> None:
    everything = "".join(map(chr, range(0x2100))) + "\udc9b"
    shown = harmless(everything)
    assert_harmless(shown)
    assert len(shown) == len(everything)  # columns stay where they are
    shown.encode()  # undecodable bytes of a file name, too, can be written
    assert harmless("\x1b[31m\x7f") == "␛[31m␡"
    assert harmless("plain ä — 你好\n\t") == "plain ä — 你好\n\t"
    assert harmless_line("one\ntwo") == "one␊two"


@pytest.fixture
def timeline() -> Timeline:
    """A timeline in which every text is hostile."""
    made = empty_timeline()
    made.title = HOSTILE
    made.names = HostNames({**made.names.addresses, HOSTILE: ("10.0.0.9",)})
    made.add(HostReady(at(0), "client", 1, {HOSTILE: HOSTILE}))
    made.add(Step(at(0.001), f"{HOSTILE}\n  9.999999  == forged"))
    made.add(Figure(at(0.002), HOSTILE))
    made.add(RuleChanged(at(0.003), "server", f"-A INPUT -m comment {HOSTILE}", "applied"))
    made.add(SysctlSet(at(0.004), "client", HOSTILE, HOSTILE, HOSTILE))
    made.add(ProgramStarted(at(0.005), "client", 1, 7, (HOSTILE, f"{HOSTILE}\nforged")))
    made.add(ProcessSeen(at(0.006), "client", 7, (HOSTILE,)))
    made.add(ProgramWrote(at(0.007), "client", 1, "stdout", HOSTILE.encode()))
    made.add(CallBegan(at(0.008), "client", 1, "connect", HOSTILE, CLIENT, SERVER))
    made.add(CallEnded(at(0.009), "client", 1, "connect", 0, HOSTILE))
    made.add(SegmentCrafted(at(0.010), "client", CLIENT, SERVER, HOSTILE))
    made.add(CounterRead(at(0.011), "client", HOSTILE, 3))
    made.add(CaptureChosen(at(0.012), "client", 1, "began", HOSTILE, HOSTILE, HOSTILE))
    sends(made, 0.02, CLIENT, SERVER, Written("S", 100))
    return made


def test_the_files_of_a_report_are_harmless(timeline: Timeline, tmp_path: Path) -> None:
    write_folder(timeline, tmp_path)
    for name in ("ladder.txt", "timeline.txt"):
        written = (tmp_path / name).read_text()
        assert "title" in written
        assert_harmless(written)
        assert not [line for line in written.splitlines() if line.startswith("  9.999999")]
    for capture in tmp_path.glob("*.pcapng"):
        assert b"\x1b]0;" not in capture.read_bytes()
        assert "\u202e".encode() not in capture.read_bytes()


def hostile_capture(path: Path) -> None:
    """A pcapng file of somebody else's: names and comments as they are, not through our writer."""
    octets = frame_octets(CLIENT, SERVER, Written("S", 100))
    placeholder = "X" * len(HOSTILE.encode())
    frame = CapturedFrame(at(0), placeholder, "out", octets, len(octets))
    described = [CaptureInterface(placeholder, placeholder)]
    section = Section(placeholder, placeholder, placeholder, placeholder)
    write_pcapng(path, [frame], described, {0: placeholder}, section)
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), HOSTILE.encode()))


def test_show_is_harmless_whatever_a_capture_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hostile.pcapng"
    hostile_capture(path)
    assert HOSTILE.encode() in path.read_bytes()
    assert main(["show", str(path)]) == 0
    assert_harmless(capsys.readouterr().out)


@pytest.mark.parametrize(
    "command",
    [
        ["show", HOSTILE.replace("\0", "")],
        ["netstat", HOSTILE.replace("\0", ""), "--host", "client"],
        ["compare", HOSTILE.replace("\0", ""), "elsewhere"],
        ["explain", HOSTILE],
        ["predict", HOSTILE],
        ["predict", "syn", "--set", HOSTILE],
        [HOSTILE],
    ],
    ids=lambda command: "-".join(word for word in command if word.isalpha()) or "nothing",
)
def test_errors_quote_what_was_typed_harmlessly(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with suppress(SystemExit):  # argparse's
        assert main(command)
    said = capsys.readouterr()
    assert said.err
    assert_harmless(said.out + said.err)


def test_a_saved_timeline_is_shown_harmlessly(timeline: Timeline, tmp_path: Path) -> None:
    write_folder(timeline, tmp_path)
    words = [sys.executable, "-m", "sockstates", "show", str(tmp_path / "timeline.jsonl")]
    ran = subprocess.run(words, cwd=PROJECT, capture_output=True, check=True, timeout=240)
    assert b"title" in ran.stdout
    assert_harmless(ran.stdout.decode())


def test_what_pytest_prints_of_a_scenario_is_harmless(runs: Runs) -> None:
    told = HOSTILE.replace("\0", "")
    runs.write(
        f"""
        TOLD = {told!r}

        def test_it(lab, client, server):
            lab.step(TOLD)
            program = client.start(["printf", "%s", TOLD])
            program.ends(0)
            client.connect(server.listen(port=80)).client.reaches(ESTABLISHED)
            assert program.output == "nothing"

        def test_its_message(lab):
            raise ValueError(TOLD)

        @pytest.mark.programs(TOLD)
        def test_skipped(lab):
            pass
        """
    )
    result = runs.run("--lab-ladder", "--color=no")
    result.assert_outcomes(failed=2, skipped=1)
    output = result.stdout.str()
    assert output.count("␛]0;title␇b") >= 4
    source = [line for line in result.outlines if "TOLD" in line]
    assert_harmless("\n".join(line for line in result.outlines if line not in source))
