"""What Sphinx builds the site with. ``docs.site.build`` says the version, the address and the folder of outputs."""

from __future__ import annotations

import os

import xcebra_nwb

project = "xcebra-nwb"
author = "the xcebra-nwb developers"
copyright = author
release = version = os.environ.get("XCEBRA_NWB_SITE_VERSION", xcebra_nwb.__version__)

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "docs.site.mathml"]
highlight_language = "text"
root_doc = "index"

# Anchors of headings as code hosts make them.
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
suppress_warnings = ["myst.header"]  # a section of a page may begin with a smaller heading

# Notebooks run once for each state of their cells and of the package's code.
nb_execution_mode = "cache"
nb_execution_cache_path = os.environ["XCEBRA_NWB_SITE_OUTPUTS"]
nb_execution_in_temp = True
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
toc_object_entries = False  # each name has a heading of its own
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "xcebra-nwb"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = [os.environ["XCEBRA_NWB_SITE_EXTRA"]]
html_context = {"default_mode": "auto"}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "check_switcher": False,  # the table of versions is written after the pages
    "switcher": {"json_url": os.environ["XCEBRA_NWB_SITE_URL"] + "versions.json", "version_match": version},
    "navbar_start": ["navbar-logo", "version-switcher"],
    "navbar_persistent": ["search-button-field"],
    "show_prev_next": True,
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "navigation_with_keys": False,
}
