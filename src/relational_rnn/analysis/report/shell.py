"""The frame of every page: style, head, and what cannot break out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from relational_rnn.analysis.tables import Table
from relational_rnn.training.run_folder import flat

HERE = Path(__file__).parent

SCRIPTS = ("report", "curves", "examples", "inside", "episode", "start")
"""In this order: the last one starts the page."""


def part(name: str) -> str:
    """Return a file of this package."""
    return (HERE / name).read_text(encoding="utf-8")


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with its [[names]] filled in; what is filled in is not looked through again.

    Example:
        >>> filled("<p>[[a]] and [[b]]</p>", {"a": "[[b]]", "b": "2"})
        '<p>[[b]] and 2</p>'
    """
    first, *rest = template.split("[[")
    found = [first]
    for piece in rest:
        name, _, after = piece.partition("]]")
        found.append(values[name] + after)
    return "".join(found)


def page(*, title: str, name: str, body: str, nav: Sequence[tuple[str, str]] = (), data: Any = None) -> str:
    """Return a page.

    Args:
        title: of the window.
        name: at the top.
        body: HTML.
        nav: id and name of each section; without any there is nothing to choose at the top.
        data: what the scripts read, as JSON has it; None for a page without scripts.
    """
    links = "".join(f'<a href="#{where}">{escape(word)}</a>' for where, word in nav)
    top = f'<nav aria-label="Sections">{links}</nav><button id="theme">Dark</button>' if nav else ""
    scripts = ""
    if data is not None:
        # "<" would end the script early if a question held "</script>".
        block = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
        code = "\n".join(part(f"{script}.js") for script in SCRIPTS)
        scripts = f'<script type="application/json" id="data">{block}</script>\n<script>\n{code}</script>'
    values = {"title": escape(title), "style": part("report.css"), "name": escape(name), "nav": top}
    return filled(part("report.html"), {**values, "body": body, "scripts": scripts})


def inside_html(
    *, heading: str, words: str, run: str, choose_run: bool, hidden: bool = False, episode: bool = False
) -> str:
    """Return the section with the slider.

    Args:
        heading: above it.
        words: what it shows, below the heading.
        run: what each of the runs on the page is called, to choose among them.
        choose_run: whether there is more than one.
        hidden: whether there is nothing to show.
        episode: whether it shows the episodes of agents.
    """
    values = {"heading": heading, "words": escape(words), "run": run, "hidden": "hidden" if hidden else ""}
    values["runs_hidden"] = "" if choose_run else "hidden"
    values["chosen_hidden"] = "hidden" if episode else ""
    return filled(part("inside.html"), {**values, "episode": part("episode.html") if episode else ""})


def curves_html(run: int, words: str, views: str) -> str:
    """Return a chart of curves, which the scripts fill.

    Args:
        run: whose curves, by number.
        words: what is drawn beside the curves.
        views: options of what can be shown.
    """
    return (
        f'<figure class="curves" data-run="{run}"><figcaption><b>Curves of training</b>. {words} '
        "Point at the chart, or choose it and press an arrow key.</figcaption>\n"
        f'<div class="controls"><label>show <select class="view">{views}</select></label>'
        '<label>against <select class="axis-of"><option value="examples">examples seen</option>'
        '<option value="seconds">seconds</option></select></label></div>\n'
        '<div class="chart" tabindex="0" role="img" aria-label="Curves of training"></div>\n'
        '<div class="tip" aria-live="polite" hidden></div><ul class="legend"></ul></figure>'
    )


def table_html(table: Table, caption: str = "", spare: Sequence[str] = ()) -> str:
    """Return a table that scrolls by itself where it is wider than the page.

    Args:
        table: at least one column.
        caption: HTML above it.
        spare: columns that a narrow screen leaves out.
    """
    left_out = [' class="spare"' if name in spare else "" for name in table.columns]
    heads = "".join(f'<th scope="col"{out}>{escape(head)}</th>' for head, out in zip(table.columns, left_out))
    told = f"<caption>{caption}</caption>" if caption else ""
    rows = []
    for bold, (first, *cells) in table.rows:
        best = ' class="best"' if bold else ""
        others = "".join(f"<td{out}>{_cell(cell)}</td>" for cell, out in zip(cells, left_out[1:]))
        rows.append(f'<tr{best}><th scope="row">{escape(first)}</th>{others}</tr>')
    body = "\n".join(rows)
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="Table">'
        f"<table>{told}<thead><tr>{heads}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


def _cell(text: str) -> str:
    """Return a cell, a range in brackets below its mean."""
    mean, bracket, rest = text.partition(" (")
    return f"{escape(mean)}<small>({escape(rest)}</small>" if bracket else escape(text)


def again_html(config: Mapping[str, Any]) -> str:
    """Return how to make a run again: its command and all of its settings.

    Args:
        config: the run's config.json.
    """
    settings = "\n".join(f"{name} = {value!r}" for name, value in flat(dict(config["config"])).items())
    return "\n".join(
        [
            f"<p>Version {escape(str(config['version']))}, commit {escape(str(config['commit']))}. "
            "The same settings from this run's <code>config.json</code>:</p>",
            f"<pre>relational-rnn {escape(config['command'])} --config config.json --out again</pre>",
            f"<details><summary>All settings</summary><pre>{escape(settings)}</pre></details>",
        ]
    )
