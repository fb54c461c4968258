"""HTML and SVG elements as text. The one place where text is escaped, so that none is forgotten.

It knows nothing of what is said in them.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from importlib.resources import files

VOID = frozenset({"br", "col", "hr", "input", "link", "meta"})
_PICTURES = {code: 0x2400 + code for code in range(32) if code not in (9, 10, 13)} | {0x7F: 0x2421}
_SURROGATES = range(0xD800, 0xE000)

Content = object
"""What an element holds: markup, which stays as it is, or anything else, whose text is escaped."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escape(content: Content) -> Markup:
    """The text of anything so that HTML shows it, quotes included; markup stays as it is.

    Control characters, which HTML cannot hold, become their pictures (U+2400 on).
    """
    if isinstance(content, Markup):
        return content
    text = str(content).translate(_PICTURES)
    if any(ord(letter) in _SURROGATES for letter in text):
        text = text.encode("utf-8", "replace").decode()
    return Markup(html.escape(text))


def joined(contents: Iterable[Content], separator: str = "") -> Markup:
    """Several contents one after the other."""
    return Markup(escape(separator).join(escape(each) for each in contents))


def tag(name: str, /, *contents: Content, **attributes: object) -> Markup:
    """An element: ``tag("a", "text", href="x")``.

    An attribute that Python cannot spell has a ``_`` behind it or in it: ``class_``, ``data_state``
    (``data-state``). None and False leave it out, True writes its name alone, numbers are written
    with a tenth at most.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(contents)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        value = f"{value:.1f}".removesuffix(".0")
    return f' {name}="{escape(value)}"'


def page(title: str, body: Markup, *, script: str, body_class: str = "current") -> str:
    """A whole document: style and script inside, so that it needs nothing but itself."""
    head = joined(
        [
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("title", title),
            tag("link", rel="icon", href="data:,"),
            tag("style", _file("report.css")),
            tag("script", _file("theme.js")),
        ]
    )
    inner = joined([body, tag("script", _file(script))])
    whole = tag("html", tag("head", head), tag("body", inner, class_=body_class), lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _file(name: str) -> Markup:
    """One of the files beside this one, which are ours and need no escaping."""
    return Markup((files(__package__) / name).read_text(encoding="utf-8"))
