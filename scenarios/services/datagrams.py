"""A client that speaks UDP to an address, port 7; each line that it reads says what to do next.

Arguments: the address, "connected" or "unconnected". "send" sends, "wait" waits for a datagram,
"look" looks whether one is there. It says how each ended: its errno, or how many bytes.
"""

import errno
import socket
import sys

address = (sys.argv[1], 7)
speaking = socket.socket(
    socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM
)
if sys.argv[2] == "connected":
    speaking.connect(address)
for number, line in enumerate(sys.stdin, start=1):
    what = line.strip()
    try:
        if what == "send" and sys.argv[2] == "connected":
            done = speaking.send(b"anybody there?")
        elif what == "send":
            done = speaking.sendto(b"anybody there?", address)
        else:
            done = len(speaking.recv(100, socket.MSG_DONTWAIT if what == "look" else 0))
        print(number, what, done)
    except OSError as error:
        print(number, what, errno.errorcode[error.errno or 0])
