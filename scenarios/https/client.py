"""A client: TLS with the host "server", to which it sends each line that it reads.

Arguments: the authority that it trusts, highest version of TLS (TLSv1_2), cipher suites, seconds
that it waits for anything, "verify" (or "trust": whatever certificate comes). It logs its keys
where SSLKEYLOGFILE says.
"""

import socket
import ssl
import sys

authority, version, ciphers, patience, manner = sys.argv[1:]
tls = ssl.create_default_context(cafile=authority)
tls.maximum_version = ssl.TLSVersion[version]
tls.set_ciphers(ciphers)
if manner != "verify":
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
with (
    socket.create_connection(("server", 4433), timeout=float(patience)) as connected,
    tls.wrap_socket(connected, server_hostname="server") as connection,
):
    for line in sys.stdin:
        connection.sendall(line.encode())
        print(connection.recv(1024).decode())
