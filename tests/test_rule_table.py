"""The filter table of a host: order, counters, suspension, and what is refused."""

import errno
import pickle
import subprocess
import time
from collections.abc import Callable

import pytest
from pyroute2 import NFTSocket

from sockstates.sandbox.rules import (
    Count,
    HostAddresses,
    RuleNotAppliedError,
    RuleNotFoundError,
    RuleScopeError,
    parse,
)
from sockstates.sandbox.rules.table import Table
from tests.own_namespace import in_own_namespace
from tests.rule_probes import probes
from tests.rule_twins import Twin, pin_to_one_processor

HOSTS = HostAddresses({"server": ("10.0.0.1", "fd00::1"), "old": ("10.0.0.9",)})


def opened() -> NFTSocket:
    made = NFTSocket()
    made.bind()
    return made


def with_table(body: Callable[[Table], None]) -> None:
    def in_child() -> None:
        table = Table(opened)
        try:
            body(table)
        finally:
            table.close()

    in_own_namespace(in_child)


def add(table: Table, line: str) -> int:
    identity = table.apply(parse(line), HOSTS)
    assert identity is not None
    return identity


def printed(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def sources(table: Table, family: int = 4) -> list[str]:
    return [line.split()[3] for line in table.listing(4 if family == 4 else 6)[3:]]


@pytest.mark.programs("iptables")
def test_rules_stand_in_the_order_of_the_commands() -> None:
    def body(table: Table) -> None:
        for line in (
            "-A INPUT -s 10.0.0.1",
            "-A INPUT -s 10.0.0.2",
            "-I INPUT -s 10.0.0.3",
            "-I INPUT 3 -s 10.0.0.4",
            "-I INPUT 5 -s 10.0.0.5",
            "-A INPUT -s fd00::1",
            "-I INPUT 6 -s fd00::2",
        ):
            add(table, line)
        assert sources(table) == [f"10.0.0.{last}/32" for last in (3, 1, 4, 2, 5)]
        assert sources(table, 6) == ["fd00::2/128", "fd00::1/128"]
        table.apply(parse("-D INPUT 2"))
        table.apply(parse("-D INPUT -s 10.0.0.2"))
        assert sources(table) == [f"10.0.0.{last}/32" for last in (3, 4, 5)]
        with pytest.raises(RuleNotFoundError, match="has 5 rules"):
            table.apply(parse("-I INPUT 7 -s 10.0.0.9"))
        with pytest.raises(RuleNotFoundError, match="has 5 rules"):
            table.apply(parse("-D INPUT 6"))
        with pytest.raises(RuleNotFoundError, match=r"-A INPUT -s 10\.0\.0\.3/32"):
            table.apply(parse("-D INPUT -s 10.0.0.2"))
        assert printed("iptables", "-S").splitlines() == table.listing(4)

    with_table(body)


def test_one_family_can_lose_its_half_of_a_rule() -> None:
    def body(table: Table) -> None:
        add(table, "-A INPUT -s server -j DROP")
        table.apply(parse("ip6tables -D INPUT -s server -j DROP"), HOSTS)
        assert sources(table) == ["10.0.0.1/32"]
        assert sources(table, 6) == []
        table.apply(parse("-D INPUT -s server -j DROP"), HOSTS)
        assert sources(table) == []

    with_table(body)


def test_a_suspended_rule_comes_back_to_its_place() -> None:
    def body(table: Table) -> None:
        first, second, third = (add(table, f"-A INPUT -s 10.0.0.{last}") for last in (1, 2, 3))
        table.suspend(second)
        table.suspend(second)
        assert sources(table) == ["10.0.0.1/32", "10.0.0.3/32"]
        table.delete(third)
        add(table, "-A INPUT -s 10.0.0.4")
        table.resume(second)
        table.resume(second)
        assert sources(table) == ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.4/32"]
        table.apply(parse("-F"))
        assert sources(table) == []
        for gone in (first, second, third):
            assert table.delete(gone) == Count(0, 0)
            with pytest.raises(RuleNotFoundError, match="was deleted"):
                table.resume(gone)
        with pytest.raises(RuleNotFoundError, match="identity 99"):
            table.counter(99)

    with_table(body)


@pytest.mark.programs("nft")
def test_a_policy_is_set_and_flushing_leaves_it() -> None:
    def body(table: Table) -> None:
        table.apply(parse("-F"))
        table.apply(parse("ip6tables -P FORWARD DROP"))
        table.apply(parse("-F"))
        assert "-P FORWARD DROP" in table.listing(6)
        assert "-P FORWARD ACCEPT" in table.listing(4)
        assert "hook forward priority filter; policy drop" in printed("nft", "list", "ruleset")

    with_table(body)


def test_what_a_policy_dropped_is_its_own_also_when_it_is_told_after_its_end() -> None:
    def body(table: Table) -> None:
        for line in ("-P INPUT DROP", "-P INPUT ACCEPT"):
            table.apply(parse(line))
        origin = table.origin(4, "INPUT", None)
        assert origin is not None
        assert origin.line == "-P INPUT DROP"

    with_table(body)


@pytest.mark.programs("nft")
def test_what_the_kernel_refuses_is_one_error_that_names_the_rule() -> None:
    def body(table: Table) -> None:
        add(table, "-A INPUT -j DROP")
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        with pytest.raises(
            RuleNotAppliedError, match=r"-A INPUT -s 10\.0\.0\.1.*ENOENT"
        ) as refused:
            add(table, "-A INPUT -s 10.0.0.1")
        assert refused.value.errno == errno.ENOENT
        again = pickle.loads(pickle.dumps(refused.value))
        assert (again.errno, str(again)) == (errno.ENOENT, str(refused.value))
        with pytest.raises(RuleScopeError, match="old must have an address"):
            add(table, "ip6tables -A INPUT -s old")

    with_table(body)


def test_without_the_privilege_the_answer_is_an_error_and_not_a_wait() -> None:
    def body(table: Table) -> None:
        import ctypes

        # An empty set of capabilities, by capset(2) with version 3 of its header.
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.capset(header, (ctypes.c_uint32 * 6)()) == 0
        # Who waits for an answer that does not come hangs, and `in_own_namespace` says so.
        with pytest.raises(RuleNotAppliedError, match="EPERM"):
            add(table, "-A INPUT -j DROP")

    with_table(body)


def counters_through_a_life() -> None:
    pin_to_one_processor()
    twin = Twin("outside")
    table = twin.table()
    four, six = probes("INPUT", 4), probes("INPUT", 6)
    identity = add(table, "-A INPUT -s server -j DROP")
    from_server = len(four) // 3
    size = sum(len(probe.packet) for probe in four[:from_server])
    size6 = sum(len(probe.packet) for probe in six[:from_server])
    twin.try_out("INPUT", four)
    assert table.counter(identity) == (from_server, size)
    twin.try_out("INPUT", six)
    assert table.counter_by_family(identity) == {4: (from_server, size), 6: (from_server, size6)}
    assert table.suspend(identity) == (2 * from_server, size + size6)
    twin.try_out("INPUT", four)
    assert table.counter(identity) == (2 * from_server, size + size6)
    table.resume(identity)
    twin.try_out("INPUT", four)
    assert table.counter(identity) == (3 * from_server, 2 * size + size6)
    assert f"-c {2 * from_server} {2 * size} -j DROP" in table.listing(4, counters=True)[-1]
    table.apply(parse("-F"))
    twin.try_out("INPUT", four)
    assert table.counter(identity) == (3 * from_server, 2 * size + size6)
    table.close()


def test_a_rule_counts_through_suspension_and_after_its_end() -> None:
    in_own_namespace(counters_through_a_life)


def test_a_command_costs_milliseconds() -> None:
    def body(table: Table) -> None:
        add(table, "-A INPUT -s server -p tcp --dport 80 --syn -j DROP")
        costs = []
        for _ in range(20):
            begun = time.thread_time()
            identity = add(table, "-A INPUT -s server -p tcp --dport 80 --syn -j DROP")
            table.counter(identity)
            table.delete(identity)
            costs.append(time.thread_time() - begun)
        # Adding, reading and deleting together, and in processor time: the machine is shared.
        assert sorted(costs)[10] < 0.03, costs

    with_table(body)
