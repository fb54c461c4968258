"""What the pages that list something share: search, choices, the table, light or dark.

The script index.js makes them work; without it they are hidden, and the table is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sockstates.report.html.markup import Markup, tag


def switch() -> Markup:
    """Light or dark, otherwise than the system has it. It is shown where there is a script."""
    return tag("button", "Light / dark", type="button", class_="switch", id="switch", hidden=True)


def search() -> Markup:
    """The field whose words a row must have."""
    return tag("label", "Search ", tag("input", type="search", id="text", autocomplete="off"))


def choice(label: str, name: str, of: str, values: Mapping[str, str]) -> Markup:
    """A choice of rows by a word in their attribute ``data-<of>``. `values`: word -> its text."""
    options = [tag("option", "any", value="")]
    options += [tag("option", text, value=value) for value, text in values.items()]
    return tag("label", f"{label} ", tag("select", *options, id=name, data_of=of))


def table_of(name: str, caption: str, heads: Sequence[str], rows: Sequence[Markup]) -> Markup:
    """A table that can be sorted by each of its columns."""
    cells = [tag("th", head, scope="col", data_key=head.split()[0].lower()) for head in heads]
    table = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *cells)),
        tag("tbody", *rows),
        id=name,
        class_="listed",
    )
    return tag("div", table, class_="wide", tabindex=0, role="region", aria_label=caption)
