"""The site: `make docs` builds it from the pages as they are on GitHub, without a copy of any.

The source folder is the repository's root, so that links between pages, notebooks, examples and code lead
to the same files here and there. Formulas become MathML when the site is built: no browser loads anything
for them.
"""

from __future__ import annotations

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

import relational_rnn

project = "relational-rnn"
copyright = "The relational-rnn developers"
version = release = relational_rnn.__version__

root_doc = "docs/index"
include_patterns = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**.md", "course/**.md", "notebooks/*.ipynb"),
    *("src/relational_rnn/pretrained/*.md", "tests/golden/README.md"),
]
exclude_patterns = [".venv*", "build", "dist", "runs", "**/.ipynb_checkpoints"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # notebooks are committed as they were executed; a test executes them again

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_mock_imports = ["triton", "torchrl", "tensordict"]
napoleon_numpy_docstring = False
napoleon_use_ivar = True
suppress_warnings = ["ref.python"]  # a field of several classes may have one name

html_theme = "furo"
html_title = f"relational-rnn {release}"
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
pygments_style = "friendly"
pygments_dark_style = "monokai"


def inline_formula(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula of a sentence."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, which scrolls where it is wider than the page."""
    shown = convert(node.astext(), display="block")
    translator.body.append(f'<div style="overflow-x: auto; margin: 1em 0">{shown}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Let formulas become MathML."""
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
