"""A load balancer on port 80 with one backend, port 8080 of the host "server", and one client.

Arguments: ipv4 or ipv6. It connects to the backend when the client has come, and passes on what
either says. When one of the two ends or fails, it says how, and closes the other one.
"""

import errno
import select
import socket
import sys

family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[sys.argv[1]]
with socket.create_server(("", 80), family=family) as listener:
    front, _ = listener.accept()
with front, socket.create_connection(("server", 8080)) as back:
    other = {front: back, back: front}
    ended = False
    while not ended:
        for speaks in select.select(list(other), [], [])[0]:
            try:
                data = speaks.recv(65536)
                other[speaks].sendall(data)
                ended = ended or not data
            except OSError as error:
                print("lost:", errno.errorcode[error.errno or 0])
                ended = True
