"""Accepts references to names of ours that exist but have no entry of their own.

Type variables, aliases and private records appear in signatures and are not documented.
A reference to a name that does not exist stays a warning, and so an error of the build.
"""

import importlib
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx


def exists(dotted: str) -> bool:
    """Whether a dotted name can be imported: a module's attribute, or a class's."""
    parts = dotted.split(".")
    for depth in range(len(parts), 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:depth]))
        except ModuleNotFoundError:
            continue
        try:
            for name in parts[depth:]:
                value = getattr(value, name)
        except AttributeError:
            return False
        return True
    return False


def resolve(
    app: Sphinx, env: Any, node: pending_xref, content: nodes.TextElement
) -> nodes.TextElement | None:
    target = node.get("reftarget", "")
    ours = node.get("refdomain") == "py" and target.startswith("imitation.")
    return content if ours and exists(target) else None


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
