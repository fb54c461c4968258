"""tcpdump's other options: a file for Wireshark, absolute numbers, no time, no names, detail."""

from pathlib import Path

import pytest

from scenarios.tcpdump_usage.test_printed_line import printed, watching
from sockstates import ESTABLISHED, Host, Lab


@pytest.mark.claims("T8")
@pytest.mark.programs("tcpdump")
@pytest.mark.cause("server.start", without="-nnS", instead="-nn")
def test_how_a_line_is_printed(lab: Lab, client: Host, server: Host) -> None:
    lab.step("Five tcpdumps watch one handshake, each with other options.")
    named, numbers, absolute, timeless, detailed = (
        watching(server, options) for options in ("", "-nn", "-nnS", "-nnt", "-nnvv")
    )
    connection = client.connect(server.listen(port=80))
    connection.server.reaches(ESTABLISHED)
    syn, syn_ack, _ = lab.sees("""
        client > server.80: Flags [S], seq J
        server.80 > client: Flags [S.], seq K, ack J+1
        client > server.80: Flags [.], ack K+1
    """)

    lab.step("Without an option hosts and ports have names, with -nn they are numbers.")
    name, number = printed(named)[0], printed(numbers)[0]
    assert f" client.{syn.source.port} > server.http: " in name
    assert f" {client.address}.{syn.source.port} > {server.address}.80: " in number

    lab.step("-S prints the wire's numbers in every line; without it, they count from 1.")
    third = printed(absolute)[2]
    assert f", ack {syn_ack.sequence + 1}, " in third
    assert ", ack 1, " in numbers.output.decode().splitlines()[2]

    lab.step("-t leaves the time out; -vv has the IP header and the checksum as well.")
    without_time, with_detail = printed(timeless)[0], printed(detailed)[0]
    assert without_time.startswith("IP")
    assert without_time == number.partition(" ")[2]
    assert "(correct)" in with_detail
    assert len(with_detail) > len(number)
    lab.figure([f"without: {name}", f"-nnS: {third}", f"-nnt: {without_time}"])


@pytest.mark.claims("T8")
@pytest.mark.programs("tcpdump", "tshark")
@pytest.mark.cause("server.start", without="-c 3", instead="-c 2")
def test_a_file_for_wireshark(lab: Lab, client: Host, server: Host, tmp_path: Path) -> None:
    lab.step("tcpdump -w writes a handshake into a file.")
    path = tmp_path / "port80.pcap"
    writing = watching(server, f"-w {path}")
    client.connect(server.listen(port=80)).server.reaches(ESTABLISHED)
    writing.ends(0)

    lab.step("tshark, which is Wireshark without a window, opens it: three segments.")
    tshark = server.start(f"tshark -n -r {path} -T fields -e tcp.flags.str")
    tshark.ends(0, seconds=30)
    flags = [line.strip("\u00b7") for line in tshark.output.decode().splitlines()]
    assert flags == ["S", "A\u00b7\u00b7S", "A"]
    lab.figure(f"tshark reads {len(flags)} segments of {path.name}: {path.stat().st_size} octets")
