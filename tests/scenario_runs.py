"""Runs pytest on scenarios that a test writes down: in a process of its own, with the plugin."""

import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest

PROJECT = Path(__file__).parents[1]
LONGEST = 240
"""Seconds after which a run hangs: eight workers and their interpreters may share a processor."""
INI = """
[pytest]
addopts = -p sockstates.plugin --strict-markers --import-mode=importlib -p no:cacheprovider
filterwarnings = error
"""
HEAD = '''
"""A module's title."""
import errno
import pytest
from sockstates import CLOSED, CLOSING, ESTABLISHED, FIN_WAIT1, LISTEN, SYN_SENT
pytestmark = pytest.mark.families("ipv4")
'''

CONNECTED = '''
def test_established(lab, client, server):
    """Both ends are ESTABLISHED."""
    connection = client.connect(server.listen(port=80))
    connection.client.reaches(ESTABLISHED)
    connection.server.reaches(ESTABLISHED)
'''
"""A scenario that passes."""

FAILING = '''
@pytest.mark.claims("T27", "T99")
def test_never_closing(lab, client, server):
    """The server never gets to CLOSING."""
    lab.step("A connection is established.")
    connection = client.connect(server.listen(port=16868))
    connection.server.reaches(ESTABLISHED)
    client.sysctl("net.ipv4.tcp_retries2", 8)
    client.iptables("-A INPUT -s server -j DROP")
    lab.step("The server closes.")
    connection.server.close()
    connection.server.reaches(CLOSING, seconds=0.3)
'''
"""A scenario that fails at its last line, with the server in FIN_WAIT1."""


class Runs:
    """Runs of pytest in a folder of their own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        pytester.makefile(".ini", pytest=INI)
        self.folder = pytester.path

    def write(self, body: str, name: str = "test_it", head: str = HEAD) -> None:
        """A file of scenarios."""
        self._pytester.makepyfile(**{name: head + dedent(body)})

    def run(self, *arguments: str, stdin: bytes = b"") -> pytest.RunResult:
        """Run pytest, and wait until it has ended."""
        return self._pytester.run(*self.command(*arguments), stdin=stdin, timeout=LONGEST)

    def run_command(self, *words: str) -> pytest.RunResult:
        """Run any command that runs pytest."""
        return self._pytester.run(*words, timeout=LONGEST)

    @staticmethod
    def command(*arguments: str) -> list[str]:
        """The command line, for whoever starts it in another way."""
        return [sys.executable, "-m", "pytest", *arguments]


@pytest.fixture
def runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT / 'harness'}:{PROJECT}")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CI", raising=False)
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "TOX_", "COV_"))]:
        monkeypatch.delenv(name)
    return Runs(pytester)
