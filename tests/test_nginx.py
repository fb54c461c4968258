"""An nginx that does not start: whoever waits for it reads nginx's own words."""

from pathlib import Path

import pytest

from sockstates import Host
from sockstates.evidence.verdicts import ExpectationFailed
from tests.nginx import start_nginx

pytestmark = [pytest.mark.families("ipv4"), pytest.mark.programs("nginx")]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("keepalive_timeouts 1s;", 'unknown directive "keepalive_timeouts" in'),
        ("keepalive_timeout soon;", '"keepalive_timeout" directive invalid value in'),
        ("keepalive_timeout 1s", 'directive "keepalive_timeout" is not terminated by ";" in'),
    ],
)
def test_a_wrong_configuration(server: Host, tmp_path: Path, settings: str, reason: str) -> None:
    web = start_nginx(server, tmp_path, "80", settings)
    with pytest.raises(ExpectationFailed, match="was expected to listen on port 80") as error:
        web.listens(80)
    assert "it ended: exit status 1" in str(error.value)
    assert f"[emerg] {web.pid}#{web.pid}: {reason}" in str(error.value)
    assert f"{tmp_path}/nginx.conf:" in str(error.value)


@pytest.mark.parametrize("listen", ["80", "[::]:80; listen 80"])
def test_a_port_that_is_taken(server: Host, tmp_path: Path, listen: str) -> None:
    """Also where nginx does get the port for IPv6: nobody would reach it over IPv4."""
    server.listen(port=80)
    web = start_nginx(server, tmp_path, listen)
    with pytest.raises(ExpectationFailed, match="was expected to listen on port 80") as error:
        web.listens(80)
    assert "it ended: exit status 1" in str(error.value)
    assert "bind() to 0.0.0.0:80 failed (98: Address already in use)" in str(error.value)
    assert "0.0.0.0 port 80 is LISTEN, a built-in endpoint of the scenario" in str(error.value)
