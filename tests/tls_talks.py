"""What two ends of a TLS connection say: OpenSSL's own bytes, without a network.

Python's ssl talks with itself through memory; how the bytes lie in segments is up to a test.
"""

import datetime
import ssl
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sockstates import Segment
from sockstates.tcp.segment import Address, add
from tests.recorded import Written, frame_octets

CLIENT, SERVER = Address("10.0.0.1", 43210), Address("10.0.0.2", 4443)
TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
RSA = "AES128-SHA256:@SECLEVEL=0"
"""A suite whose key exchange is RSA."""
Flight = tuple[bool, bytes]
"""Whether the client said it, and what."""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate that signs itself, for "server", and its private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("server")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    certificate = folder / "certificate.pem"
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))
    return certificate, write_key(folder / "key.pem", key)


def write_key(path: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> Path:
    """A file with this private key, as ``openssl genpkey`` writes it: PEM, PKCS #8."""
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def contexts(
    certificate: tuple[Path, Path], version: ssl.TLSVersion, ciphers: str = ""
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's and a server's settings for one version of TLS."""
    client, server = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
    )
    client.load_verify_locations(certificate[0])
    server.load_cert_chain(*certificate)
    for each in (client, server):
        each.minimum_version = each.maximum_version = version
        each.set_alpn_protocols(["http/1.1"])
        if ciphers:
            each.set_ciphers(ciphers)
    return client, server


def talk(
    client: ssl.SSLContext,
    server: ssl.SSLContext,
    data: bytes = b"",
    name: str = "server",
    resumes: list[ssl.SSLSession] | None = None,
) -> list[Flight]:
    """Handshake, data from the client, its answer in capitals, and the end; or until it fails.

    resumes: the last of these sessions; this one is added.
    """
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = resumes[-1] if resumes else None
    asking = client.wrap_bio(inward, outward, server_hostname=name, session=session)
    back, forth = ssl.MemoryBIO(), ssl.MemoryBIO()
    answering = server.wrap_bio(back, forth, server_side=True)
    flights: list[Flight] = []

    def pass_on() -> None:
        for source, target, from_client in ((outward, back, True), (forth, inward, False)):
            octets = source.read()
            if octets:
                target.write(octets)
                flights.append((from_client, octets))

    for act in (asking.do_handshake, answering.do_handshake) * 3:
        try:
            act()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            pass_on()
            return flights
        pass_on()
    asking.write(data)
    pass_on()
    answering.write(_whole(answering, len(data)).upper())
    pass_on()
    _whole(asking, len(data))
    if resumes is not None and asking.session:
        resumes.append(asking.session)
    for end in (asking, answering):
        with suppress(ssl.SSLWantReadError):
            end.unwrap()
        pass_on()
    return flights


def _whole(end: ssl.SSLObject, length: int) -> bytes:
    """So many bytes, from as many records as they are in."""
    octets = b""
    while len(octets) < length:
        octets += end.read(length - len(octets))
    return octets


def in_segments(
    flights: Iterable[Flight],
    most: int = 1400,
    start: tuple[int, int] = (1000, 5000),
    begin: int = 1_700_000_000_000_000_000,
) -> Iterator[Segment]:
    """A handshake of TCP, then the bytes, `most` of them in a segment; a microsecond each."""
    ends = {True: (CLIENT, SERVER), False: (SERVER, CLIENT)}
    following = {True: start[0], False: start[1]}
    time = begin

    def segment(from_client: bool, flags: str, payload: bytes = b"") -> Segment:
        nonlocal time
        time += 1000
        source, target = ends[from_client]
        here, there = following[from_client], following[not from_client]
        following[from_client] = add(here, len(payload) + ("S" in flags))
        acknowledged = there if "." in flags else None
        return Segment(time, source, target, flags, here, acknowledged, 500, payload=payload)

    yield segment(True, "S")
    yield segment(False, "S.")
    yield segment(True, ".")
    for from_client, octets in flights:
        for place in range(0, len(octets), most):
            yield segment(from_client, "P.", octets[place : place + most])


def write_pcap(path: Path, segments: Iterable[Segment]) -> Path:
    """The segments as a pcap file with nanoseconds."""
    octets = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)
    for each in segments:
        written = Written(each.flags, each.sequence, each.acknowledgement or 0, each.payload)
        frame = frame_octets(each.source, each.destination, written)
        octets += struct.pack("<IIII", *divmod(each.time, 10**9), len(frame), len(frame)) + frame
    path.write_bytes(octets)
    return path
