"""A client: TLS with the host "server"; each line that it reads says what to do next.

"read" reads, "write" writes past TLS, anything else is sent. It says what it got, or how it failed,
and goes on. The end of TCP's data without close_notify is a failure to it, as RFC 8446, section
6.1, wants; called with "lenient", it takes any end for a good one, as Python's ssl does by itself.

Python before 3.11.4 takes it for a good one also with suppress_ragged_eofs=False (gh-95494): it has
OpenSSL ignore it, which is taken back here.
"""

import errno
import os
import socket
import ssl
import sys

authority, *manners = sys.argv[1:]
lenient = manners == ["lenient"]
tls = ssl.create_default_context(cafile=authority)
if not lenient:
    tls.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
with socket.create_connection(("server", 4433)) as connected:
    connection = tls.wrap_socket(connected, server_hostname="server", suppress_ragged_eofs=lenient)
    print("handshake done")
    for line in sys.stdin:
        try:
            if line == "read\n":
                print("got", connection.recv(1024))
            elif line == "write\n":
                # Some versions of Python report a write of TLS that fails as the end of TCP's
                # data, so what the kernel says is asked for without TLS.
                os.write(connection.fileno(), b"more")
            else:
                connection.sendall(line.encode())
                print("sent")
        except ConnectionError as error:
            print(errno.errorcode[error.errno or 0])
        except ssl.SSLError as error:
            print(type(error).__name__, error.reason)
