"""The protection of TLS 1.2 records, undone: AES in GCM (RFC 5288) and in CBC (RFC 5246, RFC 7366).

Pure: a record's bytes in, its plaintext out. What does not authenticate is never given out: a
wrong key, a changed record and a wrong place in the order all end in NotAuthentic.
"""

from __future__ import annotations

import hmac
import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from sockstates.tls.keys import DirectionKeys, Suite
from sockstates.tls.records import Record

BLOCK: Final = 16
"""Octets: AES's block, and the IV before each CBC record."""
EXPLICIT_NONCE: Final = 8
"""Octets at the beginning of each GCM record."""
TAG: Final = 16


class NotAuthentic(ValueError):
    """The record is not what its sender protected with these keys, at this place in the order."""


class Protection:
    """What protects the records of one direction."""

    def __init__(
        self, suite: Suite, keys: DirectionKeys, *, encrypt_then_mac: bool = False
    ) -> None:
        self._suite = suite
        self._keys = keys
        self._encrypt_then_mac = encrypt_then_mac

    def undo(self, record: Record) -> bytes:
        """The plaintext of a record. Raises NotAuthentic."""
        header = struct.pack("!QBH", record.number, record.content_type, record.version)
        fragment = record.fragment
        if self._suite.mode == "GCM":
            return self._undo_gcm(header, fragment)
        if self._encrypt_then_mac:
            return self._undo_encrypt_then_mac(header, fragment)
        return self._undo_mac_then_encrypt(header, fragment)

    def _undo_gcm(self, header: bytes, fragment: bytes) -> bytes:
        length = len(fragment) - EXPLICIT_NONCE - TAG
        if length < 0:
            raise NotAuthentic(f"{len(fragment)} bytes are too few for a nonce and a tag")
        nonce = self._keys.salt + fragment[:EXPLICIT_NONCE]
        associated = header + struct.pack("!H", length)
        try:
            return AESGCM(self._keys.key).decrypt(nonce, fragment[EXPLICIT_NONCE:], associated)
        except InvalidTag:
            raise NotAuthentic("its tag (AES-GCM) is another one") from None

    def _undo_encrypt_then_mac(self, header: bytes, fragment: bytes) -> bytes:
        end = max(0, len(fragment) - self._suite.mac_length)
        self._verify(header + struct.pack("!H", end) + fragment[:end], fragment[end:])
        return self._unpadded(self._undo_cbc(fragment[:end]))

    def _undo_mac_then_encrypt(self, header: bytes, fragment: bytes) -> bytes:
        content = self._unpadded(self._undo_cbc(fragment))
        end = max(0, len(content) - self._suite.mac_length)
        self._verify(header + struct.pack("!H", end) + content[:end], content[end:])
        return content[:end]

    def _undo_cbc(self, data: bytes) -> bytes:
        if len(data) < 2 * BLOCK or len(data) % BLOCK:
            raise NotAuthentic(f"{len(data)} bytes are no whole blocks of AES with an IV")
        undoing = Cipher(AES(self._keys.key), CBC(data[:BLOCK])).decryptor()
        return undoing.update(data[BLOCK:]) + undoing.finalize()

    @staticmethod
    def _unpadded(content: bytes) -> bytes:
        padding = content[-1] + 1
        if content[-padding:] != bytes([content[-1]]) * padding:
            raise NotAuthentic("its padding is not what CBC records end with")
        return content[:-padding]

    def _verify(self, authenticated: bytes, mac: bytes) -> None:
        computed = hmac.digest(self._keys.mac_key, authenticated, self._suite.mac)
        if not hmac.compare_digest(computed, mac):
            raise NotAuthentic("its MAC is another one")
