"""How the programs of the article are called here: nc for one address family, nginx in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sockstates import Lab
from sockstates.programs import find_program

NGINX_CONFIGURATION = """\
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {settings}
    server {{
        listen 80;
        listen [::]:80;
        location / {{ return 200 "hello"; }}
    }}
}}
"""
"""Everything that nginx writes goes into its folder, and its worker stays root: a lab that is not
run as the machine's root has no other user."""


@pytest.fixture
def nc(lab: Lab) -> str:
    """OpenBSD's nc, whose ``nc -l PORT`` the article uses, for the lab's address family.

    Debian calls it nc.openbsd as well. The traditional nc wants ``-l -p PORT``. Without -4 or -6 it
    listens on IPv4 only.
    """
    name = "nc.openbsd" if find_program("nc.openbsd") else "nc"
    return f"{name} -{lab.family[-1]}"


@pytest.fixture
def nginx(tmp_path: Path) -> Callable[[str], str]:
    """The command that runs nginx on port 80 with these settings for its connections."""

    def command(settings: str) -> str:
        configuration = tmp_path / "nginx.conf"
        configuration.write_text(NGINX_CONFIGURATION.format(folder=tmp_path, settings=settings))
        return f"nginx -p {tmp_path} -e stderr -c {configuration}"

    return command
