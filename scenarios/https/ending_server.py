"""A server: TLS with one client, of which it reads one line, answers it, and ends in its own way.

Arguments: ipv4 or ipv6, certificate, private key, the way: "politely" (close_notify, then FIN),
"abruptly" (FIN alone), or "demanding" (it wants a certificate of the client, and gets none).
"""

import socket
import ssl
import sys
from contextlib import suppress

family_name, certificate, key, way = sys.argv[1:]
family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[family_name]
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)
if way == "demanding":
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.verify_mode = ssl.CERT_REQUIRED
else:
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
with socket.create_server(("", 4433), family=family) as listener:
    accepted, _ = listener.accept()
    with tls.wrap_socket(accepted, server_side=True) as connection:
        connection.sendall(connection.recv(1024).rstrip()[::-1] + b"\n")
        if way == "politely":
            connection.setblocking(False)
            with suppress(ssl.SSLWantReadError):  # the client need not say the same before we go
                connection.unwrap()
