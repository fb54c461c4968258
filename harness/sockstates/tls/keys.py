"""From the premaster secret to the keys of both directions, as TLS 1.2 computes them.

RFC 5246 sections 5 (the PRF), 6.3 (the key block) and 8.1 (the master secret), RFC 7627 for the
extended master secret. Pure: bytes in, bytes out. It knows the suites whose premaster secret is
encrypted with the certificate's key (RSA key exchange) and whose cipher is AES; TLS 1.3 derives
its keys in another way and is never done here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, Literal

MASTER_SECRET_LENGTH: Final = 48
PREMASTER_SECRET_LENGTH: Final = 48
"""Octets: the version that the client offered, and 46 random ones (RFC 5246, section 7.4.7.1)."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A cipher suite, as far as the keys depend on it. Lengths are bytes.

    hash: the PRF's. mac: the hash of the records' own MAC; empty for GCM, which needs none.
    """

    name: str
    mode: Literal["GCM", "CBC"]
    key_length: int
    mac: Literal["", "sha1", "sha256"] = ""
    hash: Literal["sha256", "sha384"] = "sha256"

    @property
    def mac_length(self) -> int:
        """Of the key of the MAC, and of the MAC itself."""
        return hashlib.new(self.mac).digest_size if self.mac else 0

    @property
    def iv_length(self) -> int:
        """Of what the key block gives: GCM's salt (RFC 5288). CBC's IV is in each record."""
        return 4 if self.mode == "GCM" else 0


SUITES: Final = {
    0x002F: Suite("TLS_RSA_WITH_AES_128_CBC_SHA", "CBC", 16, "sha1"),
    0x0035: Suite("TLS_RSA_WITH_AES_256_CBC_SHA", "CBC", 32, "sha1"),
    0x003C: Suite("TLS_RSA_WITH_AES_128_CBC_SHA256", "CBC", 16, "sha256"),
    0x003D: Suite("TLS_RSA_WITH_AES_256_CBC_SHA256", "CBC", 32, "sha256"),
    0x009C: Suite("TLS_RSA_WITH_AES_128_GCM_SHA256", "GCM", 16),
    0x009D: Suite("TLS_RSA_WITH_AES_256_GCM_SHA384", "GCM", 32, hash="sha384"),
}
"""By IANA's number: the suites with RSA key exchange and AES (RFC 5246 A.5, RFC 5288)."""


@dataclass(frozen=True, slots=True)
class DirectionKeys:
    """What one side encrypts with: the key of its MAC (empty for GCM), its key, its salt."""

    mac_key: bytes
    key: bytes
    salt: bytes


def prf(suite: Suite, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """So many bytes of TLS 1.2's pseudorandom function (RFC 5246, section 5)."""
    blocks = b""
    for block in _p_hash(suite, secret, label + seed):
        blocks += block
        if len(blocks) >= length:
            break
    return blocks[:length]


def _p_hash(suite: Suite, secret: bytes, seed: bytes) -> Iterator[bytes]:
    chained = seed
    while True:
        chained = hmac.digest(secret, chained, suite.hash)
        yield hmac.digest(secret, chained + seed, suite.hash)


def master_secret(
    suite: Suite, premaster: bytes, client_random: bytes, server_random: bytes
) -> bytes:
    """The master secret from the three random values (RFC 5246, section 8.1)."""
    seed = client_random + server_random
    return prf(suite, premaster, b"master secret", seed, MASTER_SECRET_LENGTH)


def extended_master_secret(suite: Suite, premaster: bytes, messages: bytes) -> bytes:
    """The master secret where both hellos have the extension (RFC 7627, section 4).

    messages: every handshake message from the ClientHello to the ClientKeyExchange, headers too.
    Their hash stands where the two random values stood; these are in it, with all the rest.
    """
    seed = hashlib.new(suite.hash, messages).digest()
    return prf(suite, premaster, b"extended master secret", seed, MASTER_SECRET_LENGTH)


def key_block(
    suite: Suite, master: bytes, client_random: bytes, server_random: bytes
) -> tuple[DirectionKeys, DirectionKeys]:
    """The keys of what the client writes, and of what the server writes (RFC 5246, section 6.3)."""
    each = (suite.mac_length, suite.key_length, suite.iv_length)
    seed = server_random + client_random  # the other way round than for the master secret
    block = prf(suite, master, b"key expansion", seed, 2 * sum(each))
    ends = accumulate((length for length in each for _ in range(2)), initial=0)
    parts = [block[start:end] for start, end in pairwise(ends)]
    return DirectionKeys(*parts[0::2]), DirectionKeys(*parts[1::2])
