"""A run on one page: its table, its figures and how to make it again, in one HTML file without links."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from relational_rnn.analysis.tables import Table
from relational_rnn.training.files import write_text
from relational_rnn.training.run_folder import flat

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .3rem .8rem; text-align: right; }
th:first-child, td:first-child { text-align: left; } thead { border-bottom: 2px solid #222; }
tr.best { font-weight: bold; } img { max-width: 100%; margin: 1rem 0; }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; }
"""


def write_report(
    path: Path,
    config: dict[str, Any],
    *,
    title: str,
    explanation: str,
    tables: Sequence[Table],
    figures: Sequence[Path],
) -> Path:
    """Write the page of a run.

    Args:
        path: the HTML file.
        config: the run's config.json.
        title: of the page.
        explanation: what the numbers are, above the tables.
        tables: in this order.
        figures: PNG files to show, in this order.

    Returns:
        `path`.
    """
    settings = "\n".join(f"{name} = {value!r}" for name, value in flat(config["config"]).items())
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(explanation)}</p>",
        *(table._repr_html_() for table in tables),
        *(_image(figure) for figure in figures),
        "<h2>Make it again</h2>",
        f"<p>Version {escape(config['version'])}, commit {escape(str(config['commit']))}. "
        "The same settings from this run's <code>config.json</code>:</p>",
        f"<pre>relational-rnn {escape(config['command'])} --config config.json --out again</pre>",
        f"<pre>{escape(settings)}</pre></html>",
    ]
    write_text(path, "\n".join(parts))
    return path


def _image(figure: Path) -> str:
    data = base64.b64encode(figure.read_bytes()).decode()
    return f'<img alt="{escape(figure.stem.replace("_", " "))}" src="data:image/png;base64,{data}">'
