"""An episode of an agent as an animation: the board, and beside it what the agent thought."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from relational_rnn.analysis import style
from relational_rnn.config.checks import check_choice
from relational_rnn.tasks.episodes import Episode
from relational_rnn.training.files import find_target, write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL.Image import Image

WIDTH, WIDER, HEIGHT = 6.6, 9.6, 4.1
ANIMATION_DPI: Final = 80
FRAMES_A_SECOND: Final = 6
LAST_SECONDS: Final = 2
"""For which the board after the last step is shown."""
MOST_ACTIONS: Final = 8
"""Actions that are shown; of more of them the likeliest."""
PAST: Final = 40
"""Steps that the strips of value and gates reach back."""


def shown_actions(probabilities: np.ndarray, chosen: int, most: int = MOST_ACTIONS) -> list[int]:
    """Return the actions to show at a step: all of them, or the likeliest with the one that is taken.

    Args:
        probabilities: of the actions, (A,).
        chosen: the action that is taken.
        most: so many at most.

    Example:
        >>> shown_actions(np.array([0.2, 0.5, 0.3]), chosen=0)
        [0, 1, 2]
        >>> shown_actions(np.array([0.2, 0.5, 0.3]), chosen=0, most=2)
        [1, 0]
    """
    if len(probabilities) <= most:
        return list(range(len(probabilities)))
    likeliest: list[int] = np.argsort(-probabilities, kind="stable")[:most].tolist()
    return likeliest if chosen in likeliest else [*likeliest[:-1], chosen]


def animate_episode(
    episode: Episode, *, title: str, path: str | os.PathLike[str], model: str = "rmc"
) -> Path:
    """Write an episode as an animation: the board, the actions, the value and, of an RMC, its memory.

    Args:
        episode: at least one step.
        title: above the board.
        path: file name, which ends in .gif or, where an encoder is installed, in .mp4; missing folders are
            made.
        model: family of the core, which chooses the colour.

    Returns:
        The path that was written.

    Raises:
        ValueError: another ending, an episode without steps, or no encoder for .mp4.
        ImportError: matplotlib is absent.
        OSError: it could not be written, or the encoder failed.
    """
    target = check_animation(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with style.paper_style():
        frames = _frames_of(*draw_episode(episode, title=title, model=model), len(episode.pictures))
    write = _write_mp4 if target.suffix == ".mp4" else _write_gif
    write_atomically(target, lambda unfinished: write(frames, unfinished))
    return target


def check_animation(path: str | os.PathLike[str]) -> Path:
    """Return the path of an animation that can be written here.

    Raises:
        ValueError: another ending than .gif or .mp4, or no encoder for .mp4.
        OSError: nothing can be written there.
    """
    target = Path(path)
    if check_choice("the ending of an animation's file name", target.suffix, (".gif", ".mp4")) == ".mp4":
        _find_encoder()
    find_target(target)
    return target


def _find_encoder() -> str:
    """Return the program that encodes films: imageio-ffmpeg's, else the system's."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ModuleNotFoundError, RuntimeError):  # the second where it comes without a program
        found = shutil.which("ffmpeg")
    if found is None:
        raise ValueError(
            "an .mp4 needs an encoder, and none is installed: pip install imageio-ffmpeg, or install ffmpeg; "
            "a .gif needs none"
        )
    return found


def _write_gif(frames: Sequence[Image], path: Path) -> None:
    first, *others = frames
    milliseconds = [1000 // FRAMES_A_SECOND] * len(others) + [1000 * LAST_SECONDS]
    first.save(path, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)


def _write_mp4(frames: Sequence[Image], path: Path) -> None:
    width, height = frames[0].size
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FRAMES_A_SECOND)]
    # Players want an even number of pixels a side, and what they read first at the beginning of the file.
    film = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    command = [_find_encoder(), "-y", "-loglevel", "error", *source, "-i", "-", *film, "-f", "mp4", str(path)]
    last = [frames[-1]] * (LAST_SECONDS * FRAMES_A_SECOND - 1)
    pixels = b"".join(frame.tobytes() for frame in (*frames, *last))
    ended = subprocess.run(command, input=pixels, capture_output=True)
    if ended.returncode:
        told = ended.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(f"the encoder {command[0]} failed: {told[-1] if told else ended.returncode}")


def _frames_of(
    figure: Figure, moving: Sequence[Artist], show: Callable[[int], None], count: int
) -> list[Image]:
    """Return a picture of each board; what does not move is drawn once."""
    from PIL.Image import fromarray

    canvas: Any = figure.canvas
    figure.set_dpi(ANIMATION_DPI)
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    frames = []
    for step in range(count):
        show(step)
        canvas.restore_region(still)
        for artist in moving:
            figure.draw_artist(artist)
        frames.append(fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    return frames


def draw_episode(
    episode: Episode, *, title: str, model: str = "rmc"
) -> tuple[Figure, list[Artist], Callable[[int], None]]:
    """Return a figure of an episode, what moves in it, and what makes it show one of its boards.

    Args:
        episode: at least one step.
        title: above the board.
        model: family of the core, which chooses the colour.

    Raises:
        ValueError: an episode without steps.
        ImportError: matplotlib is absent.

    Example:
        >>> one = Episode(
        ...     pictures=np.zeros((3, 5, 5, 3), np.uint8), actions=("left", "right"), chosen=np.array([0, 1]),
        ...     probabilities=np.full((2, 2), 0.5), values=np.zeros(2), rewards=np.ones(2),
        ... )
        >>> figure, moving, show = draw_episode(one, title="a game")
        >>> show(2)
    """
    if not len(episode.chosen):
        raise ValueError("an episode needs at least one step to be drawn, got none")
    with style.paper_style():
        figure = style.new_figure(WIDTH if episode.attention is None else WIDER, HEIGHT)
        board = style.axes_at(figure, 0.2, 0.3, 3.4, 3.2)
        picture = board.imshow(episode.pictures[0], interpolation="nearest")
        board.set(xticks=(), yticks=())  # it keeps its rim: boards may be white at the edge
        board.spines[:].set_visible(True)
        style.write_at(figure, 0.2, HEIGHT - 0.3, title, fontweight="bold")
        told = figure.text(
            0.2 / figure.get_size_inches()[0], 1 - 0.52 / HEIGHT, "", fontsize=style.SMALL_SIZE
        )
        count = min(len(episode.actions), MOST_ACTIONS)
        policy = style.axes_at(figure, 4.5, 2.35, 1.8, 1.25)
        bars = policy.barh(range(count), 0.0)
        which = "each action" if count == len(episode.actions) else f"the {count} likeliest actions"
        policy.set(xlim=(0, 1), title=f"probability of {which}", xticks=(0, 0.5, 1))
        policy.set_yticks(range(count), [""] * count)  # the names are drawn again with each step
        policy.invert_yaxis()
        beside = policy.get_yaxis_transform()
        names = [
            policy.text(-0.04, row, "", ha="right", va="center", transform=beside, fontsize=style.SMALL_SIZE)
            for row in range(count)
        ]
        value = style.axes_at(figure, 4.5, 0.65, 1.8, 0.95)
        (line,) = value.plot([], [], color=style.colour_of(model))
        span = float(np.ptp(episode.values)) or 1.0
        bottom, top = float(episode.values.min()) - 0.05 * span, float(episode.values.max()) + 0.05 * span
        value.set(xlim=(-PAST, 0), ylim=(bottom, top), title="value it expects", xlabel="steps from now")
        panels = [policy, value]
        maps, show_memory = _memory_panels(figure, episode, panels)
        for axes in panels:
            axes.title.set_fontsize(style.SMALL_SIZE)
            axes.xaxis.label.set_fontsize(style.SMALL_SIZE)

    def show(step: int) -> None:
        """Show the board before this step and the action that is taken; after the last, what it came to."""
        picture.set_data(episode.pictures[step])
        total = round(float(episode.rewards[:step].sum()), 4)
        told.set_text(f"step {step}, return so far {total:g}")
        step = min(step, len(episode.chosen) - 1)  # after the last step the agent thinks no more
        shown = shown_actions(episode.probabilities[step], int(episode.chosen[step]))
        for action, name, bar in zip(shown, names, bars):
            name.set_text(episode.actions[action])
            bar.set_width(episode.probabilities[step, action])
            bar.set_color(style.colour_of(model) if action == episode.chosen[step] else style.FALLBACK_COLOUR)
        past = np.arange(max(0, step - PAST), step + 1)
        line.set_data(past - step, episode.values[past])
        show_memory(step)

    rim = board.spines.values()  # drawn again, as the board covers it
    return figure, [picture, *rim, told, *names, *bars, line, *maps], show


def _memory_panels(
    figure: Figure, episode: Episode, panels: list[Axes]
) -> tuple[list[Artist], Callable[[int], None]]:
    """Draw attention and gates of an RMC at the right; return what moves and what makes them show a step."""
    if episode.attention is None:
        return [], lambda step: None
    attention, gate = episode.attention.mean((1, 2)), episode.input_gate  # over rounds and heads
    slots, rows = attention.shape[1:]
    seen = style.axes_at(figure, 7.3, 2.35, 1.8, 1.25)
    shares = seen.imshow(attention[0], vmin=0, vmax=1, cmap=style.MAP_COLOURS, aspect="auto")
    seen.set(title="attention of each slot to", yticks=range(slots), xticks=range(rows))
    seen.set_yticklabels([f"slot {slot + 1}" for slot in range(slots)])
    seen.set_xticklabels([*(str(slot + 1) for slot in range(rows - 1)), "input"])
    seen.grid(False)
    figure.colorbar(shares, ax=seen, fraction=0.06, ticks=(0, 0.5, 1))
    panels.append(seen)
    if gate is None:
        return [shares], lambda step: shares.set_data(attention[step])
    opened = style.axes_at(figure, 7.3, 0.65, 1.8, 0.95)
    past = np.full((slots, PAST + 1), np.nan)
    strip = opened.imshow(
        past,
        vmin=0,
        vmax=1,
        cmap=style.MAP_COLOURS,
        aspect="auto",
        extent=(-PAST - 0.5, 0.5, slots + 0.5, 0.5),
    )
    opened.set(title="input gate of each slot", xlabel="steps from now", yticks=range(1, slots + 1))
    opened.set_yticklabels([f"slot {slot + 1}" for slot in range(slots)])
    opened.grid(False)
    figure.colorbar(strip, ax=opened, fraction=0.06, ticks=(0, 0.5, 1))
    panels.append(opened)

    def show(step: int) -> None:
        shares.set_data(attention[step])
        first = max(0, step - PAST)
        recent = np.full((slots, PAST + 1), np.nan)
        recent[:, PAST - (step - first) :] = gate[first : step + 1].T
        strip.set_data(recent)

    return [shares, strip], show
