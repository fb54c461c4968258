"""What the catalogue's page says before its first entry. Pure data."""

from __future__ import annotations

SERVICE = """\
listener = server.listen(port=8080)
listener = server.start("my-service --port 8080").listens(8080)
"""
CLIENT = """\
connection = client.connect(listener)
connection = client.start("my-client http://server:8080/").connects(listener)
"""

INTRODUCTION = f"""
# The catalogue of timeouts

<!-- Made from the scenarios: pytest scenarios --lab-catalogue=write. Do not edit it here. -->

What does a Linux TCP connection do when something is lost, refused, full, idle or closed? Each
entry below is a scenario: a recipe that makes a real kernel show it, and proves that it did. An
entry says what both ends look like meanwhile (`netstat`, `ss`), what the program gets, how long
it takes with a kernel's default settings, and which settings change that. States and errors are
checked against what was recorded, each time that the scenario runs.

Run one, and look at the report:

    pytest scenarios/opening/test_syn_sent.py --lab-report DIR

Many are shortened, so that all of them take a minute; the durations below are those of the
default settings. `--lab-defaults --lab-virtual` behind the paths waits for them in virtual time.

**With a program of your own**: copy the recipe into a file of yours below `scenarios/`, and put
your command in the place of the built-in end. Of these two lines, the second for the first:

    {SERVICE.replace(chr(10), chr(10) + "    ").strip()}

and at the other end, or there only:

    {CLIENT.replace(chr(10), chr(10) + "    ").strip()}

The fault stays as it is, and so does what is said of states, `connection.server.reaches(…)`. What
the recipe has the built-in end do (`connection.client.send(…)`, `.close()`, `.connecting`) is now
your program's business: take these lines out, and say what you expect of it instead, with
`.prints("…")` or `.ends(status)` of what `start` returns.
"""
