"""The default of `owner=`, of a type of its own: so a text in its place is a type error."""

from enum import Enum
from typing import Final


class AnyOwner(Enum):
    """Whoever has a socket open, or nobody."""

    ANY = "anybody"


ANY_OWNER: Final = AnyOwner.ANY
