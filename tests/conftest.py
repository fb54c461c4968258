"""Settings of all tests: what hypothesis makes up is not judged by how long it takes.

Its limit of 200 ms for an example would measure the machine, which others may keep busy.
"""

from hypothesis import settings

settings.register_profile("untimed")
settings.load_profile("untimed")
