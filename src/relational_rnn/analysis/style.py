"""One look for all figures: colours, fonts, sizes, and writing to disk.

matplotlib is imported inside the functions, and pyplot never, so there is no global figure and no window.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from relational_rnn.config.checks import check_choice
from relational_rnn.training.files import find_target, write_atomically
from relational_rnn.training.models import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
TITLE_SIZE = 13.0
TEXT_SIZE = 11.0
SMALL_SIZE = 9.5
INK = "#222222"
QUIET = "#5F5F5F"

COLOURS = (
    *("#0072B2", "#56B4E9", "#D55E00", "#E69F00", "#009E73", "#CC79A7"),
    *("#882255", "#332288", "#999933"),
)
"""Okabe and Ito's colour-blind-safe set, then what goes with it of Tol's muted one."""

MARKS = "oPsD^v<>p*"
"""One more than there are colours, so that a colour that comes again has another mark."""


def looks_of(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return a colour and a mark for each name, in turn: no two of 90 names have both in common.

    Example:
        >>> looks_of(["one", "other"])
        {'one': ('#0072B2', 'o'), 'other': ('#56B4E9', 'P')}
    """
    return dict(zip(names, zip(cycle(COLOURS), cycle(MARKS))))


PALETTE = {model: colour for model, (colour, _) in looks_of(MODELS).items()}
"""Colour of each model, in the order of the registry, the same in every figure."""

MARKERS = {model: mark for model, (_, mark) in looks_of(MODELS).items()}
"""Mark of each model, so that colour alone never tells them apart."""

FALLBACK_COLOUR = "#8A8A8A"
FALLBACK_MARKER = "X"
SHADE = "#E6E6E6"
EDGE = 0.2
"""Inches that everything keeps from the edge of a figure."""

DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.6)),
    (0, (1.2, 1.4)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (3, 1.2, 1.2, 1.2, 1.2, 1.2)),
    (0, (10, 3)),
)
"""Line styles of the first, second, ... curve of one family."""

TRIVIAL_LINE: dict[str, Any] = {"color": INK, "linewidth": 1.1, "linestyle": (0, (4, 3))}

MAP_COLOURS = "YlGnBu"
"""Of every map: light for little, dark for much, alike for the colour-blind and in grey."""

_RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": TEXT_SIZE,
    "text.color": INK,
    "text.parse_math": False,  # a name or a question may hold a dollar sign
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT_SIZE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "legend.fontsize": TEXT_SIZE,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "pdf.fonttype": 42,
}


def colour_of(model: str) -> str:
    """The colour of a model family; names that the palette lacks share one grey."""
    return PALETTE.get(model.lower(), FALLBACK_COLOUR)


def marker_of(model: str) -> str:
    """The mark of a model family; names without one share a cross."""
    return MARKERS.get(model.lower(), FALLBACK_MARKER)


def line_of(model: str, nth: int = 0) -> dict[str, Any]:
    """The look of the `nth` line of a model family: its colour and mark, and dashes that tell lines apart."""
    return {
        "color": colour_of(model),
        "marker": marker_of(model),
        "markersize": 6.0,
        "markeredgecolor": "white",
        "markeredgewidth": 0.6,
        "linestyle": DASHES[nth % len(DASHES)],
        "linewidth": 2.0,
    }


def lines_of(models: Sequence[str]) -> list[dict[str, Any]]:
    """The looks of lines of these model families: the n-th line of a family takes the n-th dashes."""
    families = [model.lower() if model.lower() in PALETTE else "" for model in models]
    return [line_of(family, families[:place].count(family)) for place, family in enumerate(families)]


def percent(share: float) -> str:
    """A share of 1 as a person reads it, `0.952` as "95.2 %"."""
    return f"{100 * share:.1f} %"


def mean_and_range(shares: Sequence[float]) -> str:
    """The mean of shares of 1 and, of several, their range: `[0.9, 1.0]` as "95.0 (90.0–100.0)"."""
    low, high = 100 * min(shares), 100 * max(shares)
    several = f" ({low:.1f}\N{EN DASH}{high:.1f})" if len(shares) > 1 else ""
    return f"{100 * sum(shares) / len(shares):.1f}{several}"


def mean_or_never(values: Sequence[float | None]) -> str:
    """The mean of what was reached, and by how many if not by all: "870,400 (2 of 3)", or "never"."""
    reached = [value for value in values if value is not None]
    if not reached:
        return "never"
    some = f" ({len(reached)} of {len(values)})" if len(reached) < len(values) else ""
    return f"{sum(reached) / len(reached):,.0f}{some}"


def short_number(value: float) -> str:
    """1500000 as "1.5 M"; below ten thousand as it is."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size and abs(value) >= 1e4:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


def percent_axis(axis: Any) -> None:
    """Mark an axis of accuracies from 0 to 1 in percent."""
    from matplotlib.ticker import PercentFormatter

    axis.set_ticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def import_matplotlib() -> ModuleType:
    """Return matplotlib, whatever MPLBACKEND says: a backend is pyplot's, and no figure here needs pyplot.

    matplotlib cannot be imported at all if the variable names a backend that is absent, as it does where a
    notebook started this process with another Python. A backend that is there stays the one of pyplot.

    Raises:
        ImportError: matplotlib is absent or broken; the message says which extra brings it.
    """
    backend = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    except ImportError as error:
        raise type(error)(
            f"figures need matplotlib, which cannot be imported here ({error}): pip install matplotlib",
            name=error.name,
        ) from error
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = backend
    return matplotlib


def can_draw() -> bool:
    """Say whether matplotlib is installed; whether it works `check_drawing` says."""
    try:
        importlib.import_module("matplotlib")
    except ModuleNotFoundError as error:
        return error.name != "matplotlib"
    except Exception:  # it is there, and broken
        return True
    return True


def check_drawing() -> None:
    """Draw a figure to nowhere, so that what is missing or broken is told before hours of training.

    Raises:
        ImportError: matplotlib is absent or does not work here; the message says why.
    """
    try:
        with paper_style():
            figure = new_figure(1.0)
            write_at(figure, 0.0, 0.0, "0")
            figure.savefig(io.BytesIO(), format="png")
    except ImportError:
        raise
    except Exception as error:  # whatever it is, later figures would fail too
        raise ImportError(
            f"figures need matplotlib, which does not work here: {error}", name="matplotlib"
        ) from error


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw inside this: our style on top of matplotlib's defaults; the user's settings come back afterwards.

    Raises:
        ImportError: see `import_matplotlib`.
    """
    matplotlib = import_matplotlib()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width: float, height: float = 1.0) -> Figure:
    """An empty white figure of that size in inches that belongs to no window and to no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)  # registers itself as figure.canvas
    return figure


def axes_at(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes whose frame lies at these inches from the figure's lower left corner."""
    full_width, full_height = figure.get_size_inches()
    return figure.add_axes(
        (left / full_width, bottom / full_height, width / full_width, height / full_height)
    )


def write_at(figure: Figure, left: float, bottom: float, text: str, **font: Any) -> None:
    """Text at these inches from the figure's lower left corner, small unless `font` says otherwise."""
    full_width, full_height = figure.get_size_inches()
    figure.text(left / full_width, bottom / full_height, text, **{"fontsize": SMALL_SIZE, **font})


def add_title(figure: Figure, title: str, width: float, below: float, about: str = "") -> None:
    """Make the figure `width` inches wide and so tall that its title stands above `below` inches.

    Args:
        figure: to be sized.
        title: what the figure shows, in bold; long ones are wrapped.
        width: of the figure in inches.
        below: inches that the rest of the figure takes.
        about: of what it is shown, a quiet line under the title.
    """
    bold: dict[str, Any] = {"fontsize": TITLE_SIZE, "fontweight": "bold"}
    heading = wrap(figure, title, width - 2 * EDGE, **bold)
    under = wrap(figure, about, width - 2 * EDGE, fontsize=TEXT_SIZE)
    tall = text_size(figure, heading, **bold)[1]
    more = text_size(figure, under, fontsize=TEXT_SIZE)[1] + 0.08 if about else 0.0
    height = below + 0.3 + tall + more
    figure.set_size_inches(width, height)
    write_at(figure, EDGE, height - 0.15, heading, va="top", **bold)
    if about:
        font = {"fontsize": TEXT_SIZE, "color": QUIET}
        write_at(figure, EDGE, height - 0.15 - tall - 0.08, under, va="top", **font)


def add_note(figure: Figure, note: str) -> float:
    """Explain marks at the bottom of a figure that has its width; returns the height that this takes."""
    from matplotlib.transforms import ScaledTranslation

    if not note:
        return 0.12
    text = wrap(figure, note, figure.get_size_inches()[0] - 2 * EDGE, fontsize=SMALL_SIZE)
    corner = ScaledTranslation(EDGE, 0.12, figure.dpi_scale_trans)  # stays when the figure grows taller
    artist = figure.text(0, 0, text, fontsize=SMALL_SIZE, color=QUIET, va="bottom", transform=corner)
    return 0.12 + float(artist.get_window_extent().height / figure.dpi)


def add_legend(figure: Figure, handles: Sequence[Any], names: Sequence[str], note: str = "") -> float:
    """Put a legend at the bottom in as many columns as fit, at most four, and a note below it.

    Returns:
        The inches that both take.
    """
    from matplotlib.transforms import ScaledTranslation

    floor = add_note(figure, note)
    if not names:
        return floor
    width, count = figure.get_size_inches()[0], len(names)
    columns = min(4, count)
    place = ScaledTranslation(EDGE, floor + (0.1 if note else 0.0), figure.dpi_scale_trans)
    while True:
        legend = figure.legend(
            handles, names, loc="lower left", ncols=columns, handlelength=3.0, borderaxespad=0.0, borderpad=0,
            bbox_to_anchor=(0, 0), bbox_transform=place,
        )  # fmt: skip
        box = legend.get_window_extent()
        rows = -(-count // columns)
        fewest = -(-count // rows)  # columns that need no more rows: an even table
        if columns == fewest and (columns == 1 or box.width / figure.dpi <= width - 2 * EDGE):
            return float(box.height / figure.dpi) + floor + (0.1 if note else 0.0)
        legend.remove()
        columns = fewest if columns > fewest else columns - 1


def text_size(figure: Figure, text: str, **font: Any) -> tuple[float, float]:
    """Width and height in inches that `text` takes in this font."""
    artist = figure.text(0, 0, text, **font)
    box = artist.get_window_extent()
    artist.remove()
    return float(box.width / figure.dpi), float(box.height / figure.dpi)


def wrap(figure: Figure, text: str, width: float, **font: Any) -> str:
    """Break `text` into lines of at most `width` inches, between words where a word fits on a line."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        if text_size(figure, paragraph, **font)[0] <= width:  # the usual case, measured once
            lines.append(paragraph)
            continue
        for word in paragraph.split():
            joined = f"{line} {word}" if line else word
            if text_size(figure, joined, **font)[0] <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            while len(word) > 1 and text_size(figure, word, **font)[0] > width:
                fits = len(word) - 1
                while fits > 1 and text_size(figure, word[:fits], **font)[0] > width:
                    fits -= 1
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        lines.append(line)
    return "\n".join(lines)


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure, all of it or nothing: an older file stays as it was until the new one is complete.

    Args:
        figure: what to write; 150 dots per inch.
        path: file name; its ending (.png, .pdf or .svg) says the format. Missing folders are made.

    Returns:
        The path that was written.

    Raises:
        ValueError: another ending.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     save(new_figure(4.0, 3.0), f"{folder}/figures/empty.png").name
        'empty.png'
        >>> save(new_figure(4.0, 3.0), "empty.bmp")
        Traceback (most recent call last):
            ...
        ValueError: the ending of a figure's file name must be one of '.png', '.pdf', '.svg', got '.bmp'
    """
    target = Path(path)
    check_choice("the ending of a figure's file name", target.suffix, (".png", ".pdf", ".svg"))

    def draw(unfinished: Path) -> None:
        with paper_style():  # matplotlib makes some artists only when it draws
            figure.savefig(unfinished, format=target.suffix[1:], dpi=DPI)

    find_target(target).parent.mkdir(parents=True, exist_ok=True)
    write_atomically(target, draw)
    return target
