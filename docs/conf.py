"""How the documentation is built."""

project = "healthyroster-async"
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "healthyroster-async"
