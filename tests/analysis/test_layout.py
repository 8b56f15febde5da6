"""Labels are moved apart, in order, and no further than needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relational_rnn.analysis.layout import group_labels, spread

positions = st.lists(st.floats(0, 100), min_size=1, max_size=12)


@given(wanted=positions, data=st.data())
def test_spread_leaves_no_overlap_and_stays_inside(wanted: list[float], data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.floats(0.5, 8), min_size=len(wanted), max_size=len(wanted)))
    centres = np.array(spread(wanted, sizes, 0, 100))
    order = np.argsort(wanted, kind="stable")
    low, high = (centres - np.array(sizes) / 2)[order], (centres + np.array(sizes) / 2)[order]
    assert (low[1:] >= high[:-1] - 1e-9).all()
    assert low[0] >= -1e-9
    assert high[-1] <= 100 + 1e-9


def test_spread_moves_only_what_collides() -> None:
    assert spread([10, 50, 51], [4, 4, 4], 0, 100) == pytest.approx([10, 48.5, 52.5])
    assert spread([51, 10, 50], [4, 4, 4], 0, 100) == pytest.approx([52.5, 10, 48.5])


@given(ticks=positions.map(sorted))
def test_groups_cover_every_tick_once_and_stay_in_reach(ticks: list[float]) -> None:
    groups = group_labels(ticks, [15.0] * len(ticks), low=0, high=120, reach=20)
    assert [index for first, last, _ in groups for index in range(first, last + 1)] == list(range(len(ticks)))
    for first, last, centre in groups if len(groups) > 1 else []:
        assert abs(centre - (ticks[first] + ticks[last]) / 2) <= 20
    widths = [15.0 if first == last else 30.0 for first, last, _ in groups]
    lows = [centre - width / 2 for (_, _, centre), width in zip(groups, widths, strict=True)]
    for low, width, following in zip(lows, widths, lows[1:], strict=False):
        assert low + width <= following + 1e-9


def test_without_ticks_there_are_no_labels() -> None:
    assert group_labels([], [], low=0, high=100, reach=10) == []
