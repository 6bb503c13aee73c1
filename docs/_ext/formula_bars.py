"""Lets docstrings write π(a|s), which reStructuredText reads as a substitution."""

import re
from typing import Any

from sphinx.application import Sphinx

# Code between backticks stays as it is; a bar that touches something is escaped.
CODE_OR_BAR = re.compile(r"`[^`]*`|(?<=\S)\||\|(?=\S)")


def escape_bars(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    lines[:] = [
        CODE_OR_BAR.sub(lambda m: r"\|" if m[0] == "|" else m[0], line)
        for line in lines
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", escape_bars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
