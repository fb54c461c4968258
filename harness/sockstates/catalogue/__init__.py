"""The catalogue of timeouts: what its entries say of themselves. Pure data, read by the plugin.

An entry is a scenario with `pytest.mark.phenomenon(…)`. What the marker says is checked twice: its
words when scenarios are collected, and its facts, states and errno, against the evidence of a run.
"""

from __future__ import annotations

SYMPTOMS = {
    "refused": "connect fails at once",
    "connect hangs": "connect does not return, or only after a long time",
    "one side only": "one end is connected, the other knows nothing of it",
    "hangs": "an established connection says nothing more",
    "slow": "it works, with pauses",
    "large transfers stall": "small messages get through, large ones do not",
    "works until idle": "the first message after a pause is lost or refused",
    "reset": "a connection ends with a reset",
    "writes go nowhere": "send succeeds, and nobody gets what was sent",
    "close lingers": "a socket stays after its program has closed it",
    "sockets pile up": "more and more sockets in one state",
    "out of ports or queue space": "a queue, a table or the ports are used up",
    "as it should be": "nothing is wrong: what the other entries are compared with",
}
"""What a person sees, as the marker names it -> the same in a sentence."""
