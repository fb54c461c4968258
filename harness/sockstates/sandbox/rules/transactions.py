"""Transactions with nf_tables over one netlink socket: all of a batch is in force, or none of it.

Kernel side; knows messages and errnos, and nothing of rules. pyroute2 encodes and decodes the
messages. The sending and the waiting are done here on its socket, for three reasons: one batch
must carry both families, a refusal of the batch as a whole comes under the number of its first
message (which pyroute2 does not wait for, and so would wait for ever), and there must be a
deadline. Between two calls pyroute2's event loop does not run, so nothing else reads the socket.
"""

import errno
import itertools
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from pyroute2.netlink import (
    NLM_F_ACK,
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_ECHO,
    NLM_F_REQUEST,
    NLMSG_ERROR,
)
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFPROTO_INET,
    NFPROTO_IPV4,
    NFPROTO_IPV6,
    NFT_MSG_DELRULE,
    NFT_MSG_DELTABLE,
    NFT_MSG_GETRULE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWGEN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWTABLE,
    nft_chain_msg,
    nft_rule_msg,
    nft_table_msg,
)

from sockstates.sandbox.rules.rule import Family

# linux/netlink.h, linux/netfilter/nfnetlink.h
_SOL_NETLINK, _NETLINK_EXT_ACK = 270, 11
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
TableFamily = Family | Literal["inet"]
"""Of a table: packets of one IP version, or of both."""
_PROTOCOLS: dict[TableFamily, int] = {4: NFPROTO_IPV4, 6: NFPROTO_IPV6, "inet": NFPROTO_INET}
_CREATE = NLM_F_CREATE
_APPEND = NLM_F_CREATE | NLM_F_APPEND
# Told with the echoes, under the last change's number: the rule set has a new generation.
_NEW_GENERATION = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN
_BUFFER = 1 << 18


class RefusedError(Exception):
    """The kernel's errno for a transaction, and its own words where it has any."""

    def __init__(self, number: int, detail: str = "") -> None:
        super().__init__(number, detail)
        self.number, self.detail = number, detail


class Where(NamedTuple):
    """A chain."""

    family: TableFamily
    table: str
    chain: str


def _message(
    made: Any, kind: int, flags: int, family: TableFamily, attributes: dict[str, Any]
) -> Any:
    made["nfgen_family"] = _PROTOCOLS[family]
    made["header"]["type"] = NFNL_SUBSYS_NFTABLES << 8 | kind
    made["header"]["flags"] = NLM_F_REQUEST | NLM_F_ACK | flags
    made["attrs"] = [
        (f"{made.prefix}{name.upper()}", value)
        for name, value in attributes.items()
        if value is not None
    ]
    return made


def new_table(family: TableFamily, table: str) -> Any:
    """Make a table; one that is there already stays as it is."""
    return _message(nft_table_msg(), NFT_MSG_NEWTABLE, _CREATE, family, {"name": table})


def delete_table(family: TableFamily, table: str) -> Any:
    """Delete a table with all that is in it."""
    return _message(nft_table_msg(), NFT_MSG_DELTABLE, 0, family, {"name": table})


def new_chain(where: Where, hook: int | None, priority: int = 0, kind: str = "filter") -> Any:
    """Make a base chain of this type (``filter``, ``nat``); one that is there stays as it is.

    Without a hook: a chain that no packet passes.
    """
    attributes: dict[str, Any] = {"table": where.table, "name": where.chain}
    if hook is not None:
        hooked = [("NFTA_HOOK_HOOKNUM", hook), ("NFTA_HOOK_PRIORITY", priority)]
        attributes |= {"hook": {"attrs": hooked}, "type": kind}
    return _message(nft_chain_msg(), NFT_MSG_NEWCHAIN, _CREATE, where.family, attributes)


def chain_policy(where: Where, verdict: int) -> Any:
    """Set what a chain does with a packet that none of its rules decided."""
    attributes = {"table": where.table, "name": where.chain, "policy": verdict}
    return _message(nft_chain_msg(), NFT_MSG_NEWCHAIN, 0, where.family, attributes)


def new_rule(where: Where, expressions: list[Any], before: int | None, comment: str | None) -> Any:
    """Add a rule before the one with that handle, or at the end. The answer tells its handle."""
    attributes = {
        "table": where.table,
        "chain": where.chain,
        "expressions": expressions,
        "position": before,
        "userdata": None if comment is None else {"value": comment},
    }
    flags = NLM_F_ECHO | (_APPEND if before is None else _CREATE)
    return _message(nft_rule_msg(), NFT_MSG_NEWRULE, flags, where.family, attributes)


def delete_rules(where: Where, handle: int | None = None) -> Any:
    """Delete one rule, or all of a chain. The answers tell the last counters of each.

    That is the exact end of a counter: reading first and deleting afterwards would miss what
    passes in between.
    """
    attributes = {"table": where.table, "chain": where.chain, "handle": handle}
    return _message(nft_rule_msg(), NFT_MSG_DELRULE, NLM_F_ECHO, where.family, attributes)


def get_rule(where: Where, handle: int) -> Any:
    """Ask for one rule, with its counters."""
    attributes = {"table": where.table, "chain": where.chain, "handle": handle}
    return _message(nft_rule_msg(), NFT_MSG_GETRULE, 0, where.family, attributes)


class Transactions:
    """Sends batches and requests on a bound ``NFTSocket`` that nobody else reads."""

    def __init__(self, bound_socket: Any, deadline: float = 5.0) -> None:
        """``deadline``: seconds to wait for the kernel, which answers within the send call."""
        self._socket = bound_socket
        self._deadline = deadline
        self._numbers = itertools.count(1)
        bound_socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)

    def commit(self, changes: Sequence[Any]) -> list[list[Any]]:
        """Put all changes in force at once; give each change's echoes. RefusedError otherwise."""
        begin, *numbers = self._send([_edge(_BATCH_BEGIN), *changes, _edge(_BATCH_END)])
        return self._answers(numbers[:-1], begin)

    def ask(self, requests: Sequence[Any]) -> list[list[Any]]:
        """Send requests that change nothing; give each one's answers. RefusedError otherwise."""
        numbers: list[int] = []
        for request in requests:
            numbers.extend(self._send([request]))
        return self._answers(numbers, None)

    def close(self) -> None:
        """Close the socket; what was committed stays in force."""
        self._socket.close()

    def _send(self, messages: Iterable[Any]) -> list[int]:
        data, numbers = b"", []
        for message in messages:
            numbers.append(next(self._numbers))
            message["header"]["sequence_number"] = numbers[-1]
            message.encode()
            data += message.data
        self._socket.send(data)
        return numbers

    def _answers(self, numbers: list[int], begin: int | None) -> list[list[Any]]:
        echoes: dict[int, list[Any]] = {number: [] for number in numbers}
        waiting = set(numbers)
        refusal: RefusedError | None = None
        until = time.monotonic() + self._deadline
        while waiting:
            for message in self._receive(until):
                number = message["header"]["sequence_number"]
                error = message["header"]["error"]
                if error is not None and (number in echoes or number == begin):
                    detail = message.get_attr("NLMSGERR_ATTR_MSG") or ""
                    refusal = refusal or RefusedError(error.code, str(detail))
                if number == begin and error is not None:
                    waiting.clear()
                elif message["header"]["type"] == NLMSG_ERROR:
                    waiting.discard(number)
                elif number in echoes and message["header"]["type"] != _NEW_GENERATION:
                    echoes[number].append(message)
        if refusal is not None:
            raise refusal
        return [echoes[number] for number in numbers]

    def _receive(self, until: float) -> Iterable[Any]:
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
            raise RefusedError(errno.ETIMEDOUT)
        parse: Callable[[bytes], Iterable[Any]] = self._socket.marshal.parse
        return parse(self._socket.recv(_BUFFER, socket.MSG_DONTWAIT))


def _edge(kind: int) -> Any:
    made = nfgen_msg()
    made["res_id"] = NFNL_SUBSYS_NFTABLES
    made["header"]["type"] = kind
    made["header"]["flags"] = NLM_F_REQUEST
    return made
