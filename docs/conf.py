"""How the documentation is built."""

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
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 70
napoleon_numpy_docstring = False
# Attributes stand in their class, and are no second description of a property.
napoleon_use_ivar = True
