"""The page itself: its parts, one style sheet, the scripts and the data, joined into one file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import relational_rnn
from relational_rnn.training.files import write_text

PARTS: Final = Path(__file__).parent / "parts"

SCRIPTS: Final = (
    *("core.js", "task.js", "dom.js", "plane.js", "sequence.js", "operations.js", "numbers.js"),
    *("inside.js", "scene.js", "swaps.js", "tour.js", "quiz.js", "main.js"),
)
"""In the order in which they need each other."""


def write_page(path: Path, scenes: Sequence[Mapping[str, Any]]) -> None:
    """Write the page, atomically.

    Args:
        path: of the file.
        scenes: at least one, of `scene_at`; several become tabs.

    Raises:
        ValueError: no scenes.
        OSError: nothing can be written there.
    """
    write_text(path, page(scenes))


def page(scenes: Sequence[Mapping[str, Any]]) -> str:
    """Return the page as text: it loads nothing, and its policy forbids it to.

    Args:
        scenes: at least one, of `scene_at`; several become tabs.

    Raises:
        ValueError: no scenes.

    Example:
        >>> page([{"kind": "plane", "name": "</script>"}]).count("</script>")
        2
    """
    if not scenes:
        raise ValueError("the playground needs a scene, got none")
    data = {"version": relational_rnn.__version__, "scenes": list(scenes)}
    told = json.dumps(data, separators=(",", ":"), allow_nan=False)
    parts = {
        "style": (PARTS / "style.css").read_text("utf-8"),
        "data": told.replace("<", "\\u003c"),  # nothing in it can end the script
        "script": "\n".join((PARTS / name).read_text("utf-8") for name in SCRIPTS),
    }
    text = (PARTS / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text)
