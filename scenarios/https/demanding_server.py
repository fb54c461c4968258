"""A server: TLS 1.3 with one client, of which it wants a certificate, and gets none.

Arguments: ipv4 or ipv6, certificate, private key. It says in an alert why it ends, and closes.
"""

import socket
import ssl
import sys

family_name, certificate, key = sys.argv[1:]
family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[family_name]
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)
tls.minimum_version = ssl.TLSVersion.TLSv1_3
tls.verify_mode = ssl.CERT_REQUIRED
with socket.create_server(("", 4433), family=family) as listener:
    accepted, _ = listener.accept()
    with accepted:
        tls.wrap_socket(accepted, server_side=True)
