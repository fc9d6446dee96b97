"""How the documentation is built."""

import re
from typing import Any

project = "healthyroster-async"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "healthyroster-async"
html_copy_source = False
html_show_sphinx = False

# The reference is made of the docstrings: nothing is said in two places.
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 70
napoleon_numpy_docstring = False
# A list in the text of the class: their types stand in its signature.
napoleon_custom_sections = [("Attributes", "params_style")]


# What attrs makes anew, and what would take lines to print.
LONG_DEFAULT = re.compile(r"= (NOTHING|Endpoint\(.*?\)\)|\([^()]{40,}\)|\{[^}]{40,}\})")


def plain_defaults(*event: Any) -> tuple[str | None, str | None]:
    """Leave out of signatures how a default is made."""
    signature, returns = event[-2:]
    return signature and LONG_DEFAULT.sub("= ...", signature), returns


def setup(app: Any) -> None:
    """Have Sphinx use it."""
    app.connect("autodoc-process-signature", plain_defaults)
