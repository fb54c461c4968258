"""Loads the harness into pytest."""

pytest_plugins = ["harness.plugin"]
