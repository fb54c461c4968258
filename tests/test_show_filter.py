"""``show --filter``: the frames that tcpdump's words are true of, and one message otherwise."""

import itertools
import platform
import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sockstates.__main__ import main
from sockstates.captures import libpcap
from sockstates.captures.file import CaptureFile
from sockstates.captures.libpcap import FileFilter, FilterRefused
from sockstates.commands.show import sieve
from tests.recorded import Written
from tests.test_show import CLIENT, HANDSHAKE, SERVER, frames, pcap

OTHER = ("10.0.0.9", 50000)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    other = (OTHER, SERVER, Written("S", 7))
    return pcap(tmp_path / "two.pcap", frames(*HANDSHAKE, other))


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["show", *map(str, arguments)]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert said.err.count("\n") == 1, "one message"
    return said.err


@pytest.mark.parametrize(
    ("expression", "segments"),
    [
        ("host 10.0.0.9", 1),
        ("tcp port 43210", 3),
        ("dst port 80", 3),
        ("src host 10.0.0.2", 1),
        ("tcp[tcpflags] & tcp-syn != 0", 3),
        ("tcp[tcpflags] == tcp-ack", 1),
        ("not host 10.0.0.9", 3),
        ("", 4),
    ],
)
def test_only_what_it_is_true_of(
    capture: Path, capsys: pytest.CaptureFixture[str], expression: str, segments: int
) -> None:
    assert main(["show", str(capture), "--filter", expression]) == 0
    assert f": {segments} segment" in capsys.readouterr().out
    assert len(list(CaptureFile(capture, sieve(expression)).records())) == segments


def test_nothing_left(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, capture, "--filter", "udp")
    assert "no TCP segment is in it that the filter 'udp' is true of" in said


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("tcp prot 80", "can't parse filter expression: syntax error"),
        ("port 80x", "unknown port '80x'"),
        ("inbound", "not supported on Ethernet when reading savefiles"),
    ],
)
def test_what_does_not_compile(
    capture: Path, capsys: pytest.CaptureFixture[str], expression: str, reason: str
) -> None:
    said = refused(capsys, capture, "--filter", expression)
    assert f"filter {expression!r}: " in said
    assert reason in said


def test_a_saved_timeline_is_not_sifted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a filter sifts a capture" in refused(
        capsys, tmp_path / "timeline.jsonl", "--filter", "tcp"
    )


def test_without_libpcap(
    capture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cypcap", None)
    assert not libpcap.is_here()
    said = refused(capsys, capture, "--filter", "tcp")
    assert "filter expressions need the Python package cypcap: pip install cypcap" in said


@pytest.mark.parametrize("machine", ["aarch64", "armv7l"])
def test_where_no_wheel_fits(
    capture: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    machine: str,
) -> None:
    monkeypatch.setitem(sys.modules, "cypcap", None)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    said = refused(capsys, capture, "--filter", "tcp")
    assert f"cypcap, which has no wheel for {machine} and must be built: " in said
    # In quotation marks for su(1) where there is no sudo(8).
    assert re.search("gcc libpcap-dev python3-dev'? && pip install cypcap", said)


def test_it_is_required_where_it_has_wheels() -> None:
    """pip installs it on these machines only: elsewhere a compiler would be needed."""
    (required,) = (
        requirement
        for requirement in map(Requirement, requires("sockstates") or ())
        if requirement.name == libpcap.PACKAGE
    )
    assert required.marker is not None
    for system, machine in itertools.product(("linux", "darwin"), ("x86_64", "aarch64", "i686")):
        where = {"sys_platform": system, "platform_machine": machine}
        assert required.marker.evaluate(where) is ((system, machine) == libpcap.WHEELS_FOR)


def test_libpcap_is_loaded_by_the_first_expression() -> None:
    lazily = (
        "import sys, sockstates.commands.show, sockstates.plugin.fixtures; "
        "from sockstates.captures import libpcap; "
        "assert 'cypcap' not in sys.modules; assert libpcap.is_here()"
    )
    subprocess.run([sys.executable, "-c", lazily], check=True)


def test_a_filter_judges_by_the_length_on_the_wire() -> None:
    (octets,) = frames((CLIENT, SERVER, Written("S", 1)))
    assert FileFilter("greater 1000", 1).keeps(octets, 1000)
    assert not FileFilter("greater 1000", 1).keeps(octets, 999)


def test_a_text_that_c_would_cut() -> None:
    with pytest.raises(FilterRefused, match="ends a text in C"):
        FileFilter("tcp\0 port 80", 1)


def test_what_is_not_text() -> None:
    with pytest.raises(FilterRefused, match="not valid UTF-8"):
        FileFilter("host \udcff", 1)
