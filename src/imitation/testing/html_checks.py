"""Checks that an HTML page is well-formed, self-contained and readable by everyone."""

import html.parser
import re
from collections.abc import Sequence

_VOID = frozenset(("br", "hr", "img", "input", "link", "meta", "source"))
_LOADING = frozenset(("src", "srcset", "poster", "data", "background"))
_FETCH = re.compile(r"url\(|@import", re.IGNORECASE)


class _Page(html.parser.HTMLParser):
    """Collects the problems of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.captions = 0
        self.tables = 0

    def handle_starttag(
        self, tag: str, attrs: Sequence[tuple[str, str | None]]
    ) -> None:
        values = {name: value or "" for name, value in attrs}
        # HTML parsers keep the first of two equal attributes, silently.
        if len(values) < len(attrs):
            self.problems.append(f"<{tag}> repeats an attribute")
        # Void elements have no end tag, so they are never open.
        if tag not in _VOID:
            self.open.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        self._check_requests(tag, values)
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag == "img" and not values.get("alt"):
            self.problems.append("<img> has no alt text")
        if tag == "svg" and not (
            values.get("role") == "img" and values.get("aria-label")
        ):
            self.problems.append("<svg> has no role or label")
        if tag == "th" and "scope" not in values:
            self.problems.append("<th> has no scope")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style" and _FETCH.search(data):
            self.problems.append("the style sheet loads something")

    def _check_requests(self, tag: str, values: dict[str, str]) -> None:
        if tag in ("script", "iframe", "object", "embed", "link"):
            self.problems.append(f"<{tag}> is not allowed")
        for name, value in values.items():
            if name in _LOADING and not value.startswith("data:"):
                self.problems.append(f"<{tag} {name}={value[:60]}> makes a request")
            if name.startswith("on"):
                self.problems.append(f"<{tag} {name}> is a script")
            if name == "style" and _FETCH.search(value):
                self.problems.append(f"<{tag} style> loads something")
        if values.get("href", "").startswith("#"):
            self.targets.append(values["href"][1:])


def check_page(text: str) -> None:
    """Checks the text of a whole page.

    Raises:
        AssertionError: a tag is not closed, an id is used twice, a link within the page
            is broken, something would be requested or run, or a picture or table has no
            text alternative.
    """
    page = _Page()
    page.feed(text)
    page.close()
    problems = list(page.problems)
    if page.open:
        problems.append(f"not closed: {page.open}")
    if len(set(page.ids)) < len(page.ids):
        problems.append("an id is used twice")
    problems += [f"#{name} leads nowhere" for name in set(page.targets) - set(page.ids)]
    if page.captions != page.tables:
        problems.append("a table has no caption")
    assert not problems, "; ".join(problems)
