"""A server: TLS with one client, to which it sends each line back reversed.

Arguments: ipv4 or ipv6, certificate, private key, highest version of TLS (TLSv1_2), cipher suites.
It logs its keys where SSLKEYLOGFILE says.
"""

import socket
import ssl
import sys

family_name, certificate, key, version, ciphers = sys.argv[1:]
family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[family_name]
tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
tls.load_cert_chain(certificate, key)
tls.maximum_version = ssl.TLSVersion[version]
tls.set_ciphers(ciphers)
with socket.create_server(("", 4433), family=family) as listener:
    accepted, _ = listener.accept()
    with tls.wrap_socket(accepted, server_side=True) as connection:
        while line := connection.recv(1024):
            connection.sendall(line.rstrip()[::-1] + b"\n")
