"""nginx on a host, everything that it writes in one folder, whoever runs it."""

from pathlib import Path

from sockstates import Host, Program

CONFIGURATION = """\
daemon off;
user root;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {settings}
    server {{ listen {listen}; }}
}}
"""


def start_nginx(host: Host, folder: Path, listen: str, settings: str = "") -> Program:
    """Run nginx in the foreground, with these addresses to listen on and further settings."""
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, listen=listen, settings=settings))
    return host.start(["nginx", "-p", str(folder), "-e", "stderr", "-c", str(configuration)])
