"""What can go wrong with a rule, said so that the reader knows what to type next.

All of them survive pickling: a rule is typed in one process and applied in another.
"""

import errno as errno_names
import os

from sockstates.tcp.nearest import did_you_mean


class RuleSyntaxError(ValueError):
    """A line that is not a rule we can apply exactly as iptables would.

    ``line`` is the line, ``start`` and ``end`` mark the offending word in it (0-based, half-open),
    ``problem`` says what is wrong with it and ``instead`` what to type.
    """

    def __init__(self, line: str, start: int, end: int, problem: str, instead: str) -> None:
        super().__init__(line, start, end, problem, instead)
        self.line, self.start, self.end = line, start, end
        self.problem, self.instead = problem, instead

    def __str__(self) -> str:
        shown = "".join(letter if letter.isprintable() else "?" for letter in self.line)
        pointer = " " * self.start + "^" * max(1, self.end - self.start)
        return f"{self.problem}\n    {shown}\n    {pointer}\n{self.instead}"


class UnknownHostError(LookupError):
    """A rule names a host that the lab does not have."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name, known)
        self.name, self.known = name, known

    def __str__(self) -> str:
        hosts = ", ".join(self.known) if self.known else "none"
        meant = did_you_mean(self.name, self.known)
        return f"no host is called {self.name!r}. {meant}The hosts are: {hosts}."


class RuleScopeError(ValueError):
    """A rule that no packet of any family at hand could ever meet."""


class RuleNotFoundError(LookupError):
    """The chain has no such rule, or no rule of that number."""


class RuleNotAppliedError(OSError):
    """The kernel refused a command; ``errno`` says why, ``strerror`` says of what."""

    @classmethod
    def refused(cls, line: str, number: int, detail: str = "") -> "RuleNotAppliedError":
        """Make the error for a line the kernel answered with an errno."""
        name = errno_names.errorcode.get(number, str(number))
        more = f" ({detail})" if detail else ""
        return cls(
            number,
            f"the kernel refused {line!r}: {name}, {os.strerror(number)}{more}. {_hint(number)}",
        )


def _hint(number: int) -> str:
    hints = {
        errno_names.EPERM: "CAP_NET_ADMIN in the network namespace's user namespace is needed.",
        errno_names.ENOENT: "Something else may have changed the tables of this host, or a kernel"
        " module is missing (nf_tables, nf_conntrack, nft_limit, nft_numgen, nft_reject,"
        " nft_chain_nat, nft_nat, nft_redir).",
        errno_names.EOPNOTSUPP: "This kernel lacks nf_tables, or a part of it that the rule needs.",
        errno_names.EAFNOSUPPORT: "This kernel has no nf_tables for that IP version.",
        errno_names.ETIMEDOUT: "The kernel did not answer.",
    }
    return hints.get(number, "`nft list ruleset` in the host shows what is in force.")
