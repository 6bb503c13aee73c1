"""Pieces of a report, as HTML: paragraphs, tables, figures, code.

Every function escapes the text it is given and returns `Html`, which others take as it
is, so that a name with ``<`` in it can neither break a page nor put a script there.
"""

import base64
import html
import shlex
from collections.abc import Mapping, Sequence
from typing import NewType

# Markup that is ready to be put into a page; plain text is escaped first. At run time
# both are strings, so an `Html` argument must come from a function of this module.
Html = NewType("Html", str)


def text(value: str) -> Html:
    """Escapes text."""
    return Html(html.escape(value, quote=True))


def join(*parts: Html) -> Html:
    """Puts pieces one after another."""
    return Html("\n".join(parts))


def paragraph(content: Html) -> Html:
    """Makes a paragraph of escaped text and inline pieces."""
    return Html(f"<p>{content}</p>")


def bullets(items: Sequence[Html]) -> Html:
    """Makes a list."""
    return Html("<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>")


def code(command: str) -> Html:
    """Shows a command, which wraps between its words only."""
    return Html(f"<code>{html.escape(command)}</code>")


def details(summary: str, content: Html) -> Html:
    """Hides content behind a line that opens it; it is always open in print."""
    return Html(
        f"<details><summary>{html.escape(summary)}</summary>{content}</details>"
    )


def notice(heading: str, content: Html) -> Html:
    """Makes a box that stands out, for a warning."""
    return Html(
        f'<div class="notice" role="note"><strong>{html.escape(heading)}</strong>'
        f"<p>{content}</p></div>"
    )


def columns(*items: Html) -> Html:
    """Puts pieces beside each other where the page is wide enough."""
    return Html('<div class="columns">' + "\n".join(items) + "</div>")


def figure(content: Html, title: str, caption: Html | None = None) -> Html:
    """Makes a figure of a plot or pictures, below its title and caption."""
    below = "" if caption is None else f"<p>{caption}</p>"
    return Html(
        f"<figure><figcaption><strong>{html.escape(title)}</strong>{below}"
        f"</figcaption>{content}</figure>"
    )


def table(
    caption: str,
    headers: Sequence[str],
    rows: Sequence[Sequence[Html]],
    *,
    numeric: Sequence[int] = (),
) -> Html:
    """Makes a table, in a box that scrolls sideways on a narrow screen.

    The first cell of each row is that row's header. Columns whose indices are in
    `numeric` are aligned on the right.
    """
    assert all(len(row) == len(headers) for row in rows), "ragged table"
    kinds = [' class="number"' if i in numeric else "" for i in range(len(headers))]
    head = "".join(
        f'<th scope="col"{kind}>{html.escape(name)}</th>'
        for name, kind in zip(headers, kinds, strict=True)
    )
    lines = []
    for first, *rest in rows:
        cells = "".join(
            f"<td{kind}>{cell}</td>" for cell, kind in zip(rest, kinds[1:], strict=True)
        )
        lines.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    body = "\n".join(lines)
    label = html.escape(caption, quote=True)
    return Html(
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">'
        f"<table><caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def commands(entries: Mapping[str, Sequence[str]]) -> Html:
    """Lists shell commands, given as words, each below its purpose."""
    shown = "".join(
        f"<dt>{text(label)}</dt><dd>{code(shlex.join(words))}</dd>"
        for label, words in entries.items()
    )
    return Html(f'<dl class="commands">{shown}</dl>')


def data_uri(data: bytes, media_type: str) -> str:
    """Writes bytes as a URI that needs no request."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
