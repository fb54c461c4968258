"""A hundred labs open at once, each with an established connection: time and memory."""

from contextlib import ExitStack
from typing import Any

import psutil

from benchmarks.found import tell
from sockstates import ESTABLISHED, Lab, Sandbox, open_lab

LABS = 100


def test_a_hundred_labs_at_once(benchmark: Any, sandbox: Sandbox) -> None:
    """Opened one after another, then all of them asked."""
    with ExitStack() as stack:

        def open_all() -> list[Lab]:
            labs = []
            for _ in range(LABS):
                lab = stack.enter_context(open_lab(sandbox))
                connection = lab["client"].connect(lab["server"].listen())
                connection.client.reaches(ESTABLISHED)
                connection.server.reaches(ESTABLISHED)
                labs.append(lab)
            return labs

        labs = benchmark.pedantic(open_all, rounds=1)
        processes = psutil.Process(sandbox.pid).children(recursive=True)
        agents = {host.pid for lab in labs for host in lab.hosts.values()}
        assert agents <= {each.pid for each in processes}
        shares = [each.memory_full_info().pss for each in processes]
        for lab in labs:
            lab.finish()
    found = {
        "labs": LABS,
        "hosts": len(agents),
        "mebibytes_in_all": sum(shares) >> 20,
        "kibibytes_a_host": sum(shares) // len(agents) >> 10,
        "mebibytes_of_the_test_process": psutil.Process().memory_full_info().pss >> 20,
    }
    tell(benchmark, found)
