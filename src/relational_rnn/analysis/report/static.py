"""The page of an ablation or a sweep: its tables, its figures and how to make it again."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from relational_rnn.analysis.report.shell import again_html, page, table_html
from relational_rnn.analysis.tables import Table
from relational_rnn.training.files import write_text


def write_page(
    path: Path,
    config: dict[str, Any],
    *,
    title: str,
    explanation: str,
    tables: Sequence[Table],
    figures: Sequence[Path],
) -> Path:
    """Write a page without scripts.

    Args:
        path: the HTML file.
        config: the run's config.json.
        title: of the page.
        explanation: what the numbers are, above the tables.
        tables: in this order.
        figures: PNG files to show, in this order.

    Returns:
        `path`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> config = {"command": "ablate sorting", "version": "0.1.0", "commit": None, "config": {"seeds": 2}}
        >>> heads = Table(("num_heads", "test %"), [(True, ["4", "90.0"]), (False, ["1", "75.0"])])
        >>> with TemporaryDirectory() as folder:
        ...     page = Path(folder) / "report.html"
        ...     told = {"title": "Heads", "explanation": "Two seeds.", "tables": [heads], "figures": []}
        ...     "num_heads" in write_page(page, config, **told).read_text()
        True
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(explanation)}</p>",
        *(table_html(table) for table in tables),
        *(_image(figure) for figure in figures),
        "<h2>Make it again</h2>",
        again_html(config),
    ]
    write_text(path, page(title=title, name="relational-rnn", body="\n".join(parts)))
    return path


def _image(figure: Path) -> str:
    data = base64.b64encode(figure.read_bytes()).decode()
    return f'<img alt="{escape(figure.stem.replace("_", " "))}" src="data:image/png;base64,{data}">'
