"""Loads the harness into pytest; and naps by chance, where the environment has a seed for them."""

import os

pytest_plugins = ["sockstates.plugin", *(["tests.naps"] if "SOCKSTATES_NAPS" in os.environ else [])]
