"""The pytest plugin: each module has its own options, hooks or fixtures."""

pytest_plugins: tuple[str, ...] = (
    "sockstates.plugin.fixtures",
    "sockstates.plugin.programs",
    "sockstates.plugin.hints",
    "sockstates.plugin.cause",
    "sockstates.plugin.defaults",
    "sockstates.plugin.transitions",
    "sockstates.plugin.ledger",
    "sockstates.plugin.claims",
    "sockstates.plugin.catalogue",
    "sockstates.plugin.ladder",
    "sockstates.plugin.pages",
    "sockstates.plugin.verdict",
    "sockstates.plugin.signals",
    "sockstates.plugin.virtual",
    "sockstates.plugin.virtual_guest",
)
"""The modules that have hooks of their own; the first one has the fixtures and markers."""
