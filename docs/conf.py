"""How Sphinx builds the site: `nox -s docs-site` writes build/site, with every warning an error."""

from __future__ import annotations

import sys
from pathlib import Path

import lrcore

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
import generated_pages

project = "lrcore"
author = "the lrcore developers"
version = release = lrcore.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "schedule_figures",
    "generated_pages",
]
exclude_patterns = ["_generated/README.md"]

# Docstrings are plain text with `code` in single backticks.
default_role = "code"
toc_object_entries = False  # the headings name them already
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signature has them
autodoc_mock_imports = generated_pages.IMPORTED
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "notes_style")]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = "lrcore"
html_static_path = ["_static"]
html_css_files = ["lrcore.css"]
html_show_sphinx = False
html_copy_source = False
html_show_copyright = False
