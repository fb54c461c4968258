"""The report as HTML: a page a scenario, and an index of all. It draws, and judges nothing."""
