"""tshark as the judge of how TLS is read: every frame's records and messages, field by field.

``python -m tests.judge_tls FOLDER`` compares all captures below a folder.
"""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from sockstates import Segment
from sockstates.captures.file import CaptureFile
from sockstates.tcp.dissect import Malformed
from sockstates.tcp.headers import read_segment
from sockstates.tls import Conversation, Message, conversations
from sockstates.tls.hello import read_client_hello, read_server_hello
from sockstates.tls.messages import CERTIFICATE, CLIENT_HELLO, SERVER_HELLO, read_certificates
from sockstates.tls.records import APPLICATION_DATA
from tests.tls_talks import SERVER

TYPE, OPAQUE, LENGTH = "tls.record.content_type", "tls.record.opaque_type", "tls.record.length"
VERSION, MESSAGE = "tls.record.version", "tls.handshake.type"
RANDOM, SUITE = "tls.handshake.random", "tls.handshake.ciphersuite"
NAME, ALPN = (f"tls.handshake.extensions_{name}" for name in ("server_name", "alpn_str"))
EXTENSION, CERTIFICATE_FIELD = "tls.handshake.extension.type", "tls.handshake.certificate"
LEVEL, ALERT = "tls.alert_message.level", "tls.alert_message.desc"
FIELDS = (
    *(TYPE, OPAQUE, LENGTH, VERSION, MESSAGE, RANDOM, SUITE, NAME, ALPN, EXTENSION),
    *(CERTIFICATE_FIELD, LEVEL, ALERT),
)
Facts = dict[str, list[str]]


def judged(path: Path, ports: Iterable[int] = (SERVER.port,)) -> dict[int, Facts]:
    """What tshark says of each frame with TLS, by the frame's number. ports: where TLS is."""
    command = ["tshark", "-r", "-", "-T", "fields", "-Y", "tls"]
    command += [part for port in ports for part in ("-d", f"tcp.port=={port},tls")]
    command += ["-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=;"]
    command += ["-o", "tcp.reassemble_out_of_order:TRUE", "-e", "frame.number"]
    command += [part for field in FIELDS for part in ("-e", field)]
    with path.open("rb") as file:
        ran = subprocess.run(command, stdin=file, capture_output=True, text=True, check=True)
    found = {}
    for number, *values in (line.split("\t") for line in ran.stdout.splitlines()):
        said = {name: text.split(";") for name, text in zip(FIELDS, values, strict=True) if text}
        if said:
            found[int(number)] = said
    return found


def facts(conversation: Conversation, frames: Sequence[int] | None = None) -> dict[int, Facts]:
    """What we say, in tshark's words, by the number of the frame that completes each thing.

    frames: the number of each segment's; without them, segments and frames are the same.
    """
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def frame(position: int) -> dict[str, list[str]]:
        return found[frames[position] if frames else position + 1]

    for record in conversation.records:
        said = frame(record.position)
        hides = record.content_type == APPLICATION_DATA and conversation.in_1_3
        said[OPAQUE if hides else TYPE].append(str(record.content_type))
        said[LENGTH].append(str(record.length))
        said[VERSION].append(f"0x{record.version:04x}")
    for message in conversation.messages:
        for field, values in message_facts(message).items():
            frame(message.position)[field] += values
    for alert in conversation.alerts:
        frame(alert.record.position)[LEVEL].append(str(alert.level))
        frame(alert.record.position)[ALERT].append(str(alert.description))
    return {
        number: {field: values for field, values in each.items() if values}
        for number, each in found.items()
    }


def message_facts(message: Message) -> Facts:
    found: Facts = {MESSAGE: [str(message.kind)]}
    if message.kind == CLIENT_HELLO:
        offer = read_client_hello(message.body)
        found[RANDOM] = [offer.random.hex()]
        found[SUITE] = [f"0x{each:04x}" for each in offer.cipher_suites]
        found[NAME] = [offer.server_name] if offer.server_name else []
        found[ALPN] = list(offer.alpn)
        found[EXTENSION] = [str(kind) for kind, _ in offer.extensions]
    elif message.kind == SERVER_HELLO:
        answer = read_server_hello(message.body)
        found[RANDOM] = [answer.random.hex()]
        found[SUITE] = [f"0x{answer.cipher_suite:04x}"]
        found[ALPN] = list(answer.alpn)
        found[EXTENSION] = [str(kind) for kind, _ in answer.extensions]
    elif message.kind == CERTIFICATE:
        found[CERTIFICATE_FIELD] = [each.hex() for each in read_certificates(message.body)]
    return found


def read_capture(path: Path) -> tuple[list[Segment], list[int]]:
    """The segments of a capture, and the numbers of their frames."""
    capture = CaptureFile(path)
    segments, frames = [], []
    for number, (time, interface, data, _, _) in enumerate(capture.records(), start=1):
        with suppress(Malformed):
            segment = read_segment(data, time, capture.found.interfaces[interface].link_type)
            if segment is not None:
                segments.append(segment)
                frames.append(number)
    return segments, frames


def compared(path: Path) -> tuple[int, list[str]]:
    """How many frames of a capture complete something of TLS, and where tshark and we differ."""
    segments, frames = read_capture(path)
    talks = conversations(segments)
    ours: dict[int, Facts] = {}
    for talk in talks:
        ours |= facts(talk, frames)
    theirs = judged(path, {talk.server_end.port for talk in talks}) if talks else {}
    return len(ours), [
        f"{path} frame {number}: tshark {theirs.get(number)}, we {ours.get(number)}"
        for number in sorted(ours | theirs)
        if ours.get(number) != theirs.get(number)
    ]


def main(folder: str) -> int:
    """Compare all captures below the folder; 1 as status when one differs, or none has TLS."""
    paths = sorted(path for path in Path(folder).rglob("*.pcap*") if path.is_file())
    results = [compared(path) for path in paths]
    found = [text for _, texts in results for text in texts]
    frames = sum(count for count, _ in results)
    print(*found, sep="\n")
    print(f"{len(paths)} captures, {frames} frames with TLS, {len(found)} differences")
    return 0 if frames and not found else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
