"""TLS as a capture has it: records, and the handshake while it is clear.

Only `decryption` decrypts, with the server's private key; it needs the package cryptography, and
who wants it imports it by name.
"""

from harness.tls.conversation import Conversation, conversations, read
from harness.tls.hello import ClientHello, ServerHello
from harness.tls.messages import Message
from harness.tls.octets import NotSeen, TlsError
from harness.tls.records import Alert, Record
from harness.tls.spoken import Spoken

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
