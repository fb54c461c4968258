"""A scenario whose witnesses contradict each other is inconclusive, however it ends otherwise."""

import pytest

from tests.scenario_runs import Runs, runs

pytest_plugins = ["pytester"]
__all__ = ["runs"]
pytestmark = pytest.mark.families("ipv4")

LIE = """
        from sockstates.record.kernel_events import SocketGlanced

        def lie(lab, endpoint):
            began = lab.now()
            endpoint.stays(ESTABLISHED, seconds=0.2)
            lab.timeline.add(SocketGlanced(began, *endpoint.key, CLOSING, began))
            lab.settle()

"""


def test_it_is_judged_at_the_end_and_under_a_failure(runs: Runs) -> None:
    runs.write(
        LIE
        + """
        def test_would_pass(lab, client, server):
            connection = client.connect(server.listen())
            connection.client.reaches(ESTABLISHED)
            lie(lab, connection.client)

        def test_fails_too(lab, client, server):
            connection = client.connect(server.listen())
            connection.client.reaches(ESTABLISHED)
            lie(lab, connection.client)
            connection.server.reaches(CLOSING, seconds=0.1)

        def test_is_honest(lab, client, server):
            connection = client.connect(server.listen())
            connection.client.reaches(ESTABLISHED)
        """
    )
    result = runs.run()
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*Inconclusive: the witnesses contradict each other about client.*",
            "  sock_diag   CLOSING",
            "*Inconclusive: the witnesses contradict each other about client.*",
            "*As far as it goes, it says: server.* did not reach CLOSING *",
        ]
    )
