"""The words of iptables that are supported: commands, the options of a rule, targets. Pure tables.

What stands here and in ``match_options`` is all there is: a word that is in no table is refused by
name, with the tables' own words as the list of what is supported.
"""

from collections.abc import Mapping

from sockstates.sandbox.rules import values
from sockstates.sandbox.rules.match_options import MATCH_OPTIONS, Option, Reader
from sockstates.sandbox.rules.rule import CHAINS, TableName, Verdict
from sockstates.tcp.nearest import did_you_mean, nearest

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
DASHES = "-\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}"
"""What stands before an option in text that went through a word processor."""
TARGETS: dict[TableName, tuple[Verdict, ...]] = {
    "filter": ("DROP", "ACCEPT", "REJECT"),
    "nat": ("ACCEPT", "DNAT", "REDIRECT"),
}


def one_of(choices: tuple[str, ...], what: str) -> Reader:
    """Make a reader that takes one of some words, exactly as they are spelled."""

    def read(text: str) -> str:
        if text in choices:
            return text
        raise values.BadValueError(
            f"{what} {text!r} is not supported",
            f"{did_you_mean(text, choices)}Supported: {', '.join(choices)}.",
        )

    return read


def in_words(by_table: Mapping[TableName, tuple[str, ...]]) -> str:
    """Say what there is in each table: ``INPUT, OUTPUT; with -t nat: OUTPUT``."""
    return "; ".join(
        f"{'' if table == 'filter' else f'with -t {table}: '}{', '.join(words)}"
        for table, words in by_table.items()
    )


def one_of_a_table(by_table: Mapping[TableName, tuple[str, ...]], what: str) -> Reader:
    """Make a reader of a word that one of the tables has; which one has it is seen to later."""

    def read(text: str) -> str:
        if any(text in words for words in by_table.values()):
            return text
        raise values.BadValueError(
            f"{what} {text!r} is not supported",
            did_you_mean(text, (word for words in by_table.values() for word in words))
            + f"Supported: {in_words(by_table)}.",
        )

    return read


CHAIN = one_of_a_table(CHAINS, "chain")
POLICY = one_of(("ACCEPT", "DROP"), "policy")

_SOURCE = Option("source", (values.where,), invertible=True)
_DESTINATION = Option("destination", (values.where,), invertible=True)
_IN = Option("in_interface", (values.interface,), invertible=True)
_OUT = Option("out_interface", (values.interface,), invertible=True)
_PROTOCOL = Option("protocol", (values.protocol,), invertible=True)
MATCH = Option("match", (one_of(tuple(MATCH_OPTIONS), "match"),))
_JUMP = Option("target", (one_of_a_table(TARGETS, "target"),))
_TABLE = Option("table", (one_of(tuple(CHAINS), "table"),))
OWNERS: dict[str, Verdict] = {
    "--reject-with": "REJECT",
    "--to-destination": "DNAT",
    "--to-ports": "REDIRECT",
}
"""Options that only one target has, which must stand before them."""

RULE_OPTIONS: dict[str, Option] = {
    **dict.fromkeys(("-s", "--source", "--src"), _SOURCE),
    **dict.fromkeys(("-d", "--destination", "--dst"), _DESTINATION),
    **dict.fromkeys(("-i", "--in-interface"), _IN),
    **dict.fromkeys(("-o", "--out-interface"), _OUT),
    **dict.fromkeys(("-p", "--protocol", "--proto"), _PROTOCOL),
    **dict.fromkeys(("-m", "--match"), MATCH),
    **dict.fromkeys(("-j", "--jump"), _JUMP),
    **dict.fromkeys(("-t", "--table"), _TABLE),
    "--reject-with": Option("reject_with", (values.reject_with,)),
    "--to-destination": Option("to", (values.new_destination,)),
    "--to-ports": Option("to", (values.to_ports,)),
}


def supported(name: str) -> str:
    """Say what ``name`` may have been meant to be, or else all that is supported."""
    known = [*COMMANDS, *RULE_OPTIONS]
    known += [option for options in MATCH_OPTIONS.values() for option in options]
    bare = {each.lstrip("-"): each for each in known}
    meant = [bare[each] for each in nearest(name.lstrip(DASHES), bare)]
    if meant:
        return f"Did you mean {' or '.join(meant)}?"
    return (
        f"Supported: {' '.join(dict.fromkeys(known))};"
        f" matches (-m) {', '.join(MATCH_OPTIONS)}; targets (-j) {in_words(TARGETS)}."
    )
