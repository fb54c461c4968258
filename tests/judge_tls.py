"""tshark as the judge of how TLS is read: every frame's records and messages, field by field."""

import subprocess
from collections import defaultdict
from pathlib import Path

from harness.tls import Conversation, Message
from harness.tls.hello import read_client_hello, read_server_hello
from harness.tls.messages import CERTIFICATE, CLIENT_HELLO, SERVER_HELLO, read_certificates
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


def judged(path: Path) -> dict[int, Facts]:
    """What tshark says of each frame with TLS, by the frame's number."""
    command = ["tshark", "-r", str(path), "-d", f"tcp.port=={SERVER.port},tls", "-T", "fields"]
    command += ["-E", "separator=/t", "-E", "occurrence=a", "-E", "aggregator=;", "-Y", "tls"]
    command += ["-o", "tcp.reassemble_out_of_order:TRUE", "-e", "frame.number"]
    command += [part for field in FIELDS for part in ("-e", field)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {}
    for number, *values in (line.split("\t") for line in ran.stdout.splitlines()):
        said = {name: text.split(";") for name, text in zip(FIELDS, values, strict=True) if text}
        if said:
            found[int(number)] = said
    return found


def facts(conversation: Conversation) -> dict[int, Facts]:
    """What we say, in tshark's words, by the place of the segment that completes each thing."""
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    in_1_3 = conversation.server_hello.chosen_version == 0x0304
    for record in conversation.records:
        frame = found[record.position + 1]
        hides = record.content_type == 23 and in_1_3
        frame[OPAQUE if hides else TYPE].append(str(record.content_type))
        frame[LENGTH].append(str(record.length))
        frame[VERSION].append(f"0x{record.version:04x}")
    for message in conversation.messages:
        frame = found[message.position + 1]
        for field, values in message_facts(message).items():
            frame[field] += values
    for alert in conversation.alerts:
        frame = found[alert.record.position + 1]
        frame[LEVEL].append(str(alert.level))
        frame[ALERT].append(str(alert.description))
    return {number: {k: v for k, v in each.items() if v} for number, each in found.items()}


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
