"""Random numbers of many streams at once: SplitMix64's own, and none depends on another."""

import numpy as np

from helpers.plain_pacman import SplitMix64
from relational_rnn.tasks import streams


def test_the_numbers_are_the_published_ones():
    """The first five for the seed 1234567, as others list them."""
    steps = np.arange(1, 6, dtype=np.uint64) * streams.INCREMENT
    assert streams.mix(np.uint64(1234567) + steps).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_each_stream_equals_one_of_its_own():
    seeds = [0, 1, 2**63 - 1]
    counters = streams.start(np.array(seeds))
    first = streams.uniforms(counters, 4)
    rest = streams.uniforms(counters + np.full(3, 4, np.uint64) * streams.INCREMENT, 3)
    for row, seed in enumerate(seeds):
        plain = SplitMix64(seed)
        assert [plain.uniform() for _ in range(7)] == [*first[row], *rest[row]]


def test_they_are_uniform():
    drawn = streams.uniforms(streams.start(np.arange(1000)), 100)
    assert np.histogram(drawn, 10, (0, 1))[0].min() > 9700
    assert np.abs(np.corrcoef(drawn.T) - np.eye(100)).max() < 0.15
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.02  # seeds that are neighbours
