"""A client with a pool of one connection: for each line that it reads it asks for the page.

It does as most pools do: it does not look at the connection before it writes to it.
"""

import http.client
import sys

kept = http.client.HTTPConnection("server", 80)
for _ in sys.stdin:
    try:
        kept.request("GET", "/")
        print("answer:", kept.getresponse().read().decode())
    except OSError as error:
        print(f"{type(error).__name__}: {error}")
