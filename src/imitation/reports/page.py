"""One self-contained HTML page: no request, no script, readable on paper and phones."""

import html
import importlib.resources
import re

from imitation.reports.blocks import Html
from imitation.util import artifacts
from imitation.util.paths import AnyPath

_TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="imitation">{reload}
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="lead">{lead}</p>
{contents}
</header>
<main>
{sections}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""


class Report:
    """Builds a page section by section.

    Args:
        title: the page's title.
        lead: the result in a sentence or two, below the title.
        footer: how the page came about, at its end.
        reload_seconds: how often the page reloads itself, without a script; 0 for
            never.
    """

    def __init__(
        self, title: str, lead: Html, footer: Html, reload_seconds: int = 0
    ) -> None:
        self.title = title
        self.lead = lead
        self.footer = footer
        self.reload_seconds = reload_seconds
        self._sections: dict[str, tuple[str, str]] = {}

    def section(self, heading: str, *blocks: Html) -> None:
        """Appends a section; its heading is also listed at the top of the page."""
        slug = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") or "section"
        # Ids are unique: links and the browser's history depend on them.
        identifier, number = slug, 2
        while identifier in self._sections:
            identifier, number = f"{slug}-{number}", number + 1
        self._sections[identifier] = (heading, "\n".join(blocks))

    def to_html(self) -> str:
        """Returns the page."""
        style = importlib.resources.files("imitation.reports") / "style.css"
        # Browsers keep the place that the reader has scrolled to.
        refresh = f'\n<meta http-equiv="refresh" content="{self.reload_seconds}">'
        sections = self._sections.items()
        links = "".join(
            f'<li><a href="#{identifier}">{html.escape(heading)}</a></li>'
            for identifier, (heading, _) in sections
        )
        contents = f'<nav aria-label="Sections"><ul>{links}</ul></nav>'
        written = (
            f'<section id="{identifier}"><h2>{html.escape(heading)}</h2>\n'
            f"{content}\n</section>"
            for identifier, (heading, content) in sections
        )
        return _TEMPLATE.format(
            reload=refresh if self.reload_seconds else "",
            title=html.escape(self.title),
            style=style.read_text(encoding="utf-8").strip(),
            lead=self.lead,
            # A single section needs no links.
            contents=contents if len(sections) > 1 else "",
            sections="\n".join(written),
            footer=self.footer,
        )

    def write(self, path: AnyPath) -> None:
        """Writes the page, atomically; an older file is replaced."""
        with artifacts.replacing_file(path) as temporary:
            temporary.write_text(self.to_html(), encoding="utf-8")
