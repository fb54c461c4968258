"""ClientHello and ServerHello taken apart (RFC 8446, section 4.1; RFC 5246, section 7.4.1).

What a hello says, in its own order. Whether it is a sensible offer or answer is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sockstates.tls.names import EXTENSIONS, GROUPS, SIGNATURES, VERSIONS, name
from sockstates.tls.octets import Octets, TlsError
from sockstates.tls.suites import suite_name

TLS_1_3: Final = 0x0304
RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a ServerHello that is a HelloRetryRequest (RFC 8446, section 4.1.3)."""
_SERVER_NAME, _GROUPS, _SIGNATURES, _ALPN = 0, 10, 13, 16
_ENCRYPT_THEN_MAC, _EXTENDED_MASTER_SECRET, _VERSIONS, _KEY_SHARE = 22, 23, 43, 51
Extensions = tuple[tuple[int, bytes], ...]
"""Type and content of each, in the order of the wire."""


@dataclass(frozen=True, slots=True)
class _Hello:
    """What both hellos have. version: the legacy field, 0x0303 in TLS 1.3 too."""

    version: int
    random: bytes
    session_id: bytes
    extensions: Extensions

    def extension(self, number: int) -> bytes | None:
        """The content of the extension with this number; None where it is not there."""
        return next((content for kind, content in self.extensions if kind == number), None)

    @property
    def extension_names(self) -> tuple[str, ...]:
        """``server_name``, ``key_share``, …; 0x and the number of what has no name."""
        return tuple(name(EXTENSIONS, kind) for kind, _ in self.extensions)

    @property
    def alpn(self) -> tuple[str, ...]:
        """Application protocols (RFC 7301): offered, or the one chosen. Raises TlsError."""
        content = self.extension(_ALPN)
        if content is None:
            return ()
        names = Octets(content, "the extension ALPN").parts(2, "its names")
        found = []
        while names.left:
            found.append(names.vector(1, "a name").decode("ascii", "backslashreplace"))
        return tuple(found)

    @property
    def extended_master_secret(self) -> bool:
        """Whether it has this extension (RFC 7627): both hellos must, for it to be in use."""
        return self.extension(_EXTENDED_MASTER_SECRET) is not None

    @property
    def encrypt_then_mac(self) -> bool:
        """Whether it has this extension (RFC 7366): both hellos must, for it to be in use."""
        return self.extension(_ENCRYPT_THEN_MAC) is not None


@dataclass(frozen=True, slots=True)
class ClientHello(_Hello):
    """What a client offers."""

    cipher_suites: tuple[int, ...]
    compression_methods: tuple[int, ...]

    @property
    def suite_names(self) -> tuple[str, ...]:
        """IANA's names of the cipher suites; 0x and the number of what has none here."""
        return tuple(map(suite_name, self.cipher_suites))

    @property
    def server_name(self) -> str | None:
        """The host that is meant (RFC 6066, section 3); None when not said. Raises TlsError."""
        content = self.extension(_SERVER_NAME)
        if content is None:
            return None
        names = Octets(content, "the extension server_name").parts(2, "its names")
        names.number(1, "the kind of name")
        return names.vector(2, "the name").decode("ascii", "backslashreplace")

    @property
    def supported_versions(self) -> tuple[int, ...]:
        """The versions offered: those of the extension, or the one of the hello itself."""
        content = self.extension(_VERSIONS)
        if content is None:
            return (self.version,)
        versions = Octets(content, "the extension supported_versions").parts(1, "its versions")
        return tuple(versions.numbers(2, "a version"))

    @property
    def version_names(self) -> tuple[str, ...]:
        """``TLS 1.3``, …; 0x and the number of what is no version."""
        return tuple(name(VERSIONS, each) for each in self.supported_versions)

    @property
    def supported_groups(self) -> tuple[str, ...]:
        """Names of the groups for key exchange. Raises TlsError."""
        return self._listed(_GROUPS, "supported_groups", GROUPS)

    @property
    def signature_algorithms(self) -> tuple[str, ...]:
        """Names of the signature schemes. Raises TlsError."""
        return self._listed(_SIGNATURES, "signature_algorithms", SIGNATURES)

    @property
    def key_shares(self) -> tuple[str, ...]:
        """The groups for which it has sent a public key (RFC 8446, 4.2.8). Raises TlsError."""
        content = self.extension(_KEY_SHARE)
        if content is None:
            return ()
        shares = Octets(content, "the extension key_share").parts(2, "its shares")
        found = []
        while shares.left:
            found.append(name(GROUPS, shares.number(2, "a group")))
            shares.vector(2, "a public key")
        return tuple(found)

    def _listed(self, number: int, what: str, names: dict[int, str]) -> tuple[str, ...]:
        content = self.extension(number)
        if content is None:
            return ()
        listed = Octets(content, f"the extension {what}").parts(2, "its list")
        return tuple(name(names, each) for each in listed.numbers(2, "an entry"))


@dataclass(frozen=True, slots=True)
class ServerHello(_Hello):
    """What a server has chosen."""

    cipher_suite: int
    compression_method: int

    @property
    def suite_name(self) -> str:
        """IANA's name of the cipher suite; 0x and the number where it has none here."""
        return suite_name(self.cipher_suite)

    @property
    def chosen_version(self) -> int:
        """The version in use: that of the extension supported_versions, or the hello's own.

        Raises TlsError.
        """
        content = self.extension(_VERSIONS)
        if content is None:
            return self.version
        return Octets(content, "the extension supported_versions").number(2, "the version")

    @property
    def version_name(self) -> str:
        """``TLS 1.3``."""
        return name(VERSIONS, self.chosen_version)

    @property
    def is_retry(self) -> bool:
        """Whether it is a HelloRetryRequest: the client is to begin again with another key."""
        return self.random == RETRY


def read_client_hello(body: bytes) -> ClientHello:
    """A ClientHello from the body of its message. Raises TlsError."""
    octets = Octets(body, "ClientHello")
    version, random = octets.number(2, "version"), octets.take(32, "random")
    session_id = octets.vector(1, "session_id")
    suites = tuple(octets.parts(2, "cipher_suites").numbers(2, "a cipher suite"))
    compression = tuple(octets.vector(1, "compression_methods"))
    extensions = _extensions(octets)
    return ClientHello(version, random, session_id, extensions, suites, compression)


def read_server_hello(body: bytes) -> ServerHello:
    """A ServerHello from the body of its message. Raises TlsError."""
    octets = Octets(body, "ServerHello")
    version, random = octets.number(2, "version"), octets.take(32, "random")
    session_id = octets.vector(1, "session_id")
    suite, compression = octets.number(2, "cipher_suite"), octets.number(1, "compression_method")
    return ServerHello(version, random, session_id, _extensions(octets), suite, compression)


def is_1_3(hello: ServerHello) -> bool:
    """Whether TLS 1.3 was chosen; False also where the extension that says so is broken."""
    try:
        return hello.chosen_version == TLS_1_3
    except TlsError:
        return False


def _extensions(octets: Octets) -> Extensions:
    """Those at a hello's end; there need not be any (RFC 5246, section 7.4.1.2)."""
    if not octets.left:
        return ()
    listed = octets.parts(2, "extensions")
    octets.end()
    found = []
    while listed.left:
        found.append((listed.number(2, "a type"), listed.vector(2, "an extension")))
    return tuple(found)
