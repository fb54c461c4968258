"""How the TLS programs are called here: Python's ssl and OpenSSL's own, in both roles."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scenarios.https.authority import Authority, Identity
from sockstates import Host, Lab, Program

SERVER = Path(__file__).parent / "server.py"
CLIENT = Path(__file__).parent / "client.py"
RSA_KEY_EXCHANGE = "AES128-GCM-SHA256"
"""OpenSSL's name of TLS_RSA_WITH_AES_128_GCM_SHA256. Python's ssl does not offer it by itself."""
AS_IN_RFC_5246 = """\
openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = programs
[programs]
Options = -ExtendedMasterSecret
"""
"""OpenSSL's configuration that takes away what RFC 7627 has added in 2015; SSL_CONF_cmd(3)."""


@dataclass(frozen=True)
class Programs:
    """Servers and clients that can be started, and where each of the two logs its keys."""

    family: str
    authority: Authority
    folder: Path

    @property
    def logs(self) -> list[str]:
        """What the server's key log says, and what the client's does."""
        return [self._log(who).read_text() for who in ("server", "client")]

    @property
    def logged(self) -> list[str]:
        """The labels of the secrets in the server's key log."""
        lines = self.logs[0].splitlines()
        return [line.split()[0] for line in lines if not line.startswith("#")]

    def serve(
        self,
        host: Host,
        kind: str,
        identity: Identity,
        *,
        version: str = "TLSv1_2",
        ciphers: str = RSA_KEY_EXCHANGE,
        environment: dict[str, str] | None = None,
    ) -> Program:
        """Start a server on port 4433: it answers each line with the same line reversed."""
        log = self._log("server")
        files = [str(identity.certificate), str(identity.key)]
        command = [sys.executable, str(SERVER), self.family, *files, version, ciphers]
        if kind == "openssl":
            command = ["openssl", "s_server", f"-{self.family[-1]}", "-accept", "4433", "-rev"]
            command += ["-cert", files[0], "-key", files[1], "-keylogfile", str(log)]
            command += [_openssl_version(version), "-cipher", ciphers]
        return host.start(command, environment={"SSLKEYLOGFILE": str(log), **(environment or {})})

    def connect(
        self,
        host: Host,
        kind: str,
        *,
        version: str = "TLSv1_2",
        ciphers: str = RSA_KEY_EXCHANGE,
        patience: float = 60,
    ) -> Program:
        """Start a client that connects to the host "server", and sends what is typed."""
        log, authority = self._log("client"), str(self.authority.certificate)
        command = [sys.executable, str(CLIENT), authority, version, ciphers, str(patience)]
        command.append("verify")
        if kind == "openssl":
            command = ["openssl", "s_client", "-connect", "server:4433", "-servername", "server"]
            command += ["-CAfile", authority, "-verify_return_error", "-verify_hostname", "server"]
            command += ["-keylogfile", str(log), _openssl_version(version), "-cipher", ciphers]
        return host.start(command, environment={"SSLKEYLOGFILE": str(log)})

    def _log(self, who: str) -> Path:
        return self.folder / f"{who}.keys"


def _openssl_version(name: str) -> str:
    return f"-{name.removesuffix('_0').lower().replace('v', '')}"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that clients trust; with its keys made once for each process of pytest."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def identity(authority: Authority) -> Identity:
    """A good certificate for the host "server"."""
    return authority.issue("server")


@pytest.fixture
def programs(lab: Lab, authority: Authority, tmp_path: Path) -> Programs:
    """TLS servers and clients for the lab's address family."""
    return Programs(lab.family, authority, tmp_path)


@pytest.fixture
def without_extended_master_secret(tmp_path: Path) -> dict[str, str]:
    """An environment in which OpenSSL derives the master secret as RFC 5246 says."""
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(AS_IN_RFC_5246)
    return {"OPENSSL_CONF": str(configuration)}
