"""Settings of the documentation: built by ``make docs``, warnings are errors."""

import contextlib
import sys
from pathlib import Path

import imitation

with contextlib.suppress(ImportError):
    # Autodoc imports with TYPE_CHECKING set, under which pydantic's classes fail.
    import fastapi  # noqa: F401  # to have been imported is all it is for

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "imitation"
author = "The imitation developers"
copyright = "2026, The imitation developers"
version = release = imitation.__version__

extensions = [
    "existing_names",
    "formula_bars",
    "mathml",
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"imitation {release}"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

# One page a package, written under docs/api when the build starts.
apidoc_modules = [
    {
        "path": "../src/imitation",
        "destination": "api",
        "max_depth": 2,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
# Docstrings write `name` for code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# A class may be listed twice: in its module and in the package that re-exports it.
suppress_warnings = ["ref.python"]
# Only references into this package can be resolved: the build uses no network.
nitpick_ignore_regex = [("py:.*", r"(?!imitation\.).*")]
