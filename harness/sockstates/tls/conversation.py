"""TLS between two ends of a TCP connection, read from its segments.

What is not there is told by name: `NotSeen` for who asks for it, `Spoken.problem` for who only
looks. Whether the talk is a good one is judged elsewhere, and nothing is decrypted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sockstates.tcp.following import Following
from sockstates.tcp.segment import Address, Segment
from sockstates.tls.hello import ClientHello, ServerHello, read_client_hello, read_server_hello
from sockstates.tls.messages import (
    CERTIFICATE,
    CLIENT_HELLO,
    CLIENT_KEY_EXCHANGE,
    SERVER_HELLO,
    Message,
    read_certificates,
    read_encrypted_premaster,
)
from sockstates.tls.octets import NotSeen
from sockstates.tls.records import HANDSHAKE, Alert, Record, begins_handshake, cut
from sockstates.tls.spoken import Spoken, is_answered_with_1_3, understand
from sockstates.tls.stream import Stream, assemble
from sockstates.tls.suites import RSA_KEY_EXCHANGE

_NAMES = {
    CLIENT_HELLO: "ClientHello",
    SERVER_HELLO: "ServerHello",
    CERTIFICATE: "Certificate",
    CLIENT_KEY_EXCHANGE: "ClientKeyExchange",
}
LOOKED_AT = 4
"""So many segments with data of each direction are looked at, to see whether it may be TLS."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What client and server said to each other.

    client_end, server_end: their addresses. in_1_3: whether the server chose TLS 1.3. Places count
    in the segments that were given.
    """

    client_end: Address
    server_end: Address
    client: Spoken
    server: Spoken
    in_1_3: bool

    @property
    def is_tls(self) -> bool:
        """Whether one of the two began with a hello, as a stream does that is TLS."""
        return any(begins_handshake(each.stream.data) for each in (self.client, self.server))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The clear handshake messages of both, in the order in which they were captured."""
        both = (*self.client.messages, *self.server.messages)
        return tuple(sorted(both, key=lambda message: message.position))

    @property
    def records(self) -> tuple[Record, ...]:
        """The records of both, in the order in which they were captured."""
        both = (*self.client.records, *self.server.records)
        return tuple(sorted(both, key=lambda record: record.position))

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The clear alerts of both, in the order in which they were captured."""
        both = (*self.client.alerts, *self.server.alerts)
        return tuple(sorted(both, key=lambda alert: alert.record.position))

    @property
    def client_hello(self) -> ClientHello:
        """The offer; after a HelloRetryRequest the second one. Raises NotSeen, TlsError."""
        return read_client_hello(self.sent_by_client(CLIENT_HELLO).body)

    @property
    def server_hello(self) -> ServerHello:
        """The answer, or the HelloRetryRequest where no other came. Raises NotSeen, TlsError."""
        return read_server_hello(self.sent_by_server(SERVER_HELLO).body)

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The server's certificates, DER, its own first. Raises NotSeen, TlsError."""
        return read_certificates(self.sent_by_server(CERTIFICATE).body)

    @property
    def client_key_exchange(self) -> Message:
        """The client's part of the key exchange, whatever its kind. Raises NotSeen."""
        return self.sent_by_client(CLIENT_KEY_EXCHANGE)

    @property
    def encrypted_premaster(self) -> bytes:
        """The premaster secret as RSA encrypted it (RFC 5246, section 7.4.7.1).

        Raises NotSeen where it is not in the capture, or the key exchange is another one.
        """
        suite = self.server_hello.suite_name
        if not suite.startswith(RSA_KEY_EXCHANGE):
            raise NotSeen(f"nobody sent a premaster secret: {suite} has no RSA key exchange")
        return read_encrypted_premaster(self.client_key_exchange.body)

    def sent_by_client(self, kind: int) -> Message:
        """The client's last clear handshake message of a kind. Raises NotSeen."""
        return self._last(self.client, self.client_end, kind)

    def sent_by_server(self, kind: int) -> Message:
        """The server's last clear handshake message of a kind. Raises NotSeen."""
        return self._last(self.server, self.server_end, kind)

    def _last(self, spoken: Spoken, end: Address, kind: int) -> Message:
        found = [message for message in spoken.messages if message.kind == kind]
        if found:
            return found[-1]
        text = f"the capture has no clear {_NAMES.get(kind, f'handshake message {kind}')}"
        raise NotSeen(f"{text} from {end.ip}.{end.port}: {self._why(spoken)}")

    def _why(self, spoken: Spoken) -> str:
        """Why something is not there."""
        data = spoken.stream.data
        if not data:
            return spoken.problem or "it sent nothing"
        if not spoken.stream.whole and not begins_handshake(data):
            return f"the capture began in the middle; {spoken.problem or 'the hello is missing'}"
        if spoken.problem:
            return spoken.problem
        if self.in_1_3:
            return "TLS 1.3 encrypts all that comes after ServerHello"
        names = [message.name for message in spoken.messages]
        return f"it sent {', '.join(names)}" if names else f"{len(spoken.records)} records came"


def read(segments: Iterable[Segment], client: Address, server: Address) -> Conversation:
    """What these two ends said, from the segments that one capture point saw in order.

    Where both have talked twice with the same ports, the last connection is meant. Raises NotSeen
    when there is no segment of theirs.
    """
    both = {client, server}
    connections = _connections(
        (place, each)
        for place, each in enumerate(segments)
        if {each.source, each.destination} == both
    )
    if not connections:
        raise NotSeen(
            f"no segment between {client.ip}.{client.port} and {server.ip}.{server.port} "
            "is in the capture"
        )
    return _conversation(connections[-1], client, server)


def conversations(segments: Sequence[Segment]) -> list[Conversation]:
    """Every connection among these segments that is TLS from its first bytes on."""
    pairs = _candidates(segments)
    placed = (
        (place, each)
        for place, each in enumerate(segments)
        if pairs and frozenset((each.source, each.destination)) in pairs
    )
    found = []
    for connection in _connections(placed):
        opener = connection[0][1]
        ends = opener.source, opener.destination
        one = _conversation(connection, *ends)
        if begins_handshake(one.server.stream.data) and one.server.stream.data[5] == CLIENT_HELLO:
            one = _conversation(connection, *ends[::-1])
        if one.is_tls:
            found.append(one)
    return found


def _candidates(segments: Sequence[Segment]) -> set[frozenset[Address]]:
    """The pairs of ends of which one's first data may be TLS; other traffic costs this look only.

    A few segments of each direction are looked at, because the first may have been overtaken.
    """
    looked: Counter[tuple[Address, Address]] = Counter()
    found = set()
    for segment in segments:
        ends = segment.source, segment.destination
        if segment.has("S"):
            looked[ends] = 0
        elif segment.payload and looked[ends] < LOOKED_AT:
            looked[ends] += 1
            if segment.payload[0] == HANDSHAKE:
                found.add(frozenset(ends))
    return found


Placed = tuple[int, Segment]


def _connections(segments: Iterable[Placed]) -> list[list[Placed]]:
    """The segments of each connection, with their places."""
    following = Following()
    found: list[list[Placed]] = []
    for place, segment in segments:
        number = following.of(segment).connection.number
        if number == len(found):
            found.append([])
        found[number].append((place, segment))
    return found


def _conversation(connection: list[Placed], client: Address, server: Address) -> Conversation:
    said, answered = _stream(connection, client), _stream(connection, server)
    records, answers = cut(said), cut(answered)
    in_1_3 = is_answered_with_1_3(answers[0])
    return Conversation(
        client,
        server,
        understand(said, *records, in_1_3=in_1_3),
        understand(answered, *answers, in_1_3=in_1_3),
        in_1_3,
    )


def _stream(connection: list[Placed], sender: Address) -> Stream:
    return assemble((place, each) for place, each in connection if each.source == sender)
