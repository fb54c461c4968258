"""TLS as a capture has it: records, and the handshake while it is clear.

Only `decryption` decrypts, with the server's private key; it needs the package cryptography, and
who wants it imports it by name.
"""

from sockstates.tls.conversation import Conversation, conversations, read
from sockstates.tls.hello import ClientHello, ServerHello
from sockstates.tls.messages import Message
from sockstates.tls.octets import NotSeen, TlsError
from sockstates.tls.records import Alert, Record
from sockstates.tls.spoken import Spoken

__all__ = [
    "Alert",
    "ClientHello",
    "Conversation",
    "Message",
    "NotSeen",
    "Record",
    "ServerHello",
    "Spoken",
    "TlsError",
    "conversations",
    "read",
]
