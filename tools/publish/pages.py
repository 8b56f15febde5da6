"""The pages: what is generated stands between `<!-- GROUP TABLE -->` and `<!-- /GROUP TABLE -->`.

A table has these on lines of their own, a number in a sentence has them beside it, and never at the beginning
of a line, where Markdown would take the line for HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from relational_rnn.training.files import write_text
from tools.publish.inside import pretrained_table
from tools.publish.manifest import MANIFEST, PRETRAINED_TABLES
from tools.publish.nth_farthest import recipe_table
from tools.publish.records import PRETRAINED, RESULTS, ROOT
from tools.publish.tables import write_table

PAGES: Final = (ROOT / "README.md", *sorted(RESULTS.rglob("*.md")))


def generated_parts() -> dict[str, str]:
    """Return every generated part of the pages by the name of its place."""
    parts = {"nth-farthest recipes": recipe_table()}
    for path in sorted(PRETRAINED.glob("*.json")):
        for table in PRETRAINED_TABLES:
            parts[f"pretrained-{path.stem} {table}"] = pretrained_table(path, table)
    for name, group in MANIFEST.items():
        for table in group.shows:
            parts[f"{name} {table}"] = write_table(group, table)
    return parts


def fill(page: Path, parts: Mapping[str, str]) -> None:
    """Replace what stands in the places of a page.

    Raises:
        ValueError: nothing fills one of them.
    """

    def part(match: re.Match[str]) -> str:
        if match[2] not in parts:
            raise ValueError(f"{page.name} has the place {match[2]!r}, which nothing in the manifest fills")
        return f"{match[1]}{parts[match[2]]}{match[3]}{match[4]}"

    text = page.read_text(encoding="utf-8")
    write_text(page, re.sub(r"(<!-- ([^/].*?) -->(\n?)).*?(<!-- /\2 -->)", part, text, flags=re.DOTALL))


def write_pages() -> None:
    """Write every generated part of the pages again."""
    parts = generated_parts()
    for page in PAGES:
        fill(page, parts)
