"""The words of iptables that are supported: commands, the options of a rule, targets. Pure tables.

What stands here and in ``match_options`` is all there is: a word that is in no table is refused by
name, with the tables' own words as the list of what is supported.
"""

import difflib

from . import values
from .match_options import MATCH_OPTIONS, Option, Reader
from .rule import CHAINS

COMMANDS = {
    "-A": "-A",
    "--append": "-A",
    "-I": "-I",
    "--insert": "-I",
    "-D": "-D",
    "--delete": "-D",
    "-F": "-F",
    "--flush": "-F",
    "-P": "-P",
    "--policy": "-P",
}
TARGETS = ("DROP", "ACCEPT", "REJECT")


def one_of(choices: tuple[str, ...], what: str) -> Reader:
    """Make a reader that takes one of some words, exactly as they are spelled."""

    def read(text: str) -> str:
        if text in choices:
            return text
        raise values.BadValueError(
            f"{what} {text!r} is not supported", f"Supported: {', '.join(choices)}."
        )

    return read


CHAIN = one_of(CHAINS, "chain")
POLICY = one_of(("ACCEPT", "DROP"), "policy")

_SOURCE = Option("source", (values.where,), invertible=True)
_DESTINATION = Option("destination", (values.where,), invertible=True)
_IN = Option("in_interface", (values.interface,), invertible=True)
_OUT = Option("out_interface", (values.interface,), invertible=True)
_PROTOCOL = Option("protocol", (values.protocol,), invertible=True)
MATCH = Option("match", (one_of(tuple(MATCH_OPTIONS), "match"),))
_JUMP = Option("target", (one_of(TARGETS, "target"),))
_TABLE = Option("table", (one_of(("filter",), "table"),))
REJECT_WITH = Option("reject_with", (values.reject_with,))

RULE_OPTIONS: dict[str, Option] = {
    **dict.fromkeys(("-s", "--source", "--src"), _SOURCE),
    **dict.fromkeys(("-d", "--destination", "--dst"), _DESTINATION),
    **dict.fromkeys(("-i", "--in-interface"), _IN),
    **dict.fromkeys(("-o", "--out-interface"), _OUT),
    **dict.fromkeys(("-p", "--protocol", "--proto"), _PROTOCOL),
    **dict.fromkeys(("-m", "--match"), MATCH),
    **dict.fromkeys(("-j", "--jump"), _JUMP),
    **dict.fromkeys(("-t", "--table"), _TABLE),
    "--reject-with": REJECT_WITH,
}


def supported(name: str) -> str:
    """Say what is supported, beginning with what ``name`` may have been meant to be."""
    known = [*COMMANDS, *RULE_OPTIONS]
    known += [option for options in MATCH_OPTIONS.values() for option in options]
    near = difflib.get_close_matches(name[:40], known, n=1, cutoff=0.75)
    meant = f"Did you mean {near[0]}? " if near else ""
    return (
        f"{meant}Supported: {' '.join(dict.fromkeys(known))};"
        f" matches (-m) {', '.join(MATCH_OPTIONS)}; targets (-j) {', '.join(TARGETS)}."
    )
