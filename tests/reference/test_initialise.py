import numpy as np
import pytest

from relational_rnn.reference import RelationalMemory
from relational_rnn.reference.initialise import orthogonal, truncated_normal, xavier_uniform


def test_truncated_normal_is_cut_at_two_deviations_and_not_rescaled():
    values = truncated_normal(np.random.default_rng(0), (300, 300), fan_in=300) * np.sqrt(300)
    assert np.abs(values).max() <= 2
    assert np.abs(values).max() > 1.99
    assert abs(values.std() - 0.8796) < 0.01
    assert abs(values.mean()) < 0.02
    # Redrawn, not clipped: nothing piles up at the ends (a normal has 2.4 % of what is left above 1.9).
    assert (np.abs(values) > 1.9).mean() < 0.02


def test_xavier_uniform_fills_its_bounds():
    values = xavier_uniform(np.random.default_rng(0), 100, 50)
    assert values.shape == (100, 50)
    assert 0.99 * 0.2 < values.max() <= 0.2  # sqrt(6 / 150) = 0.2
    assert abs(values.std() - 0.2 / np.sqrt(3)) < 0.002


def test_orthogonal_is_orthogonal_and_not_always_the_same():
    generator = np.random.default_rng(0)
    first, second = orthogonal(generator, 6), orthogonal(generator, 6)
    np.testing.assert_allclose(first @ first.T, np.eye(6), atol=1e-14)
    assert np.abs(first - second).max() > 0.1


def test_a_core_starts_as_the_authors_does():
    core = RelationalMemory(input_size=70, mem_slots=5, head_size=20, num_heads=5, num_blocks=2, seed=3)
    for name, value in core.params.items():
        if name.endswith("bias"):
            assert not value.any(), name
        elif value.ndim == 1:
            assert (value == 1).all(), name
        else:
            scaled = value * np.sqrt(value.shape[1])
            assert np.abs(scaled).max() <= 2, name
            assert abs(scaled.std() - 0.8796) < 0.02, name


@pytest.mark.parametrize(("slots", "width"), [(3, 5), (5, 3), (4, 4)])
def test_the_initial_memory_is_the_identity_padded_or_cut(slots, width):
    core = RelationalMemory(input_size=2, mem_slots=slots, head_size=width)
    np.testing.assert_array_equal(core.initial_state(2), [np.eye(slots, width)] * 2)


def test_a_random_initial_memory_is_kept_and_not_trained():
    core = RelationalMemory(input_size=2, mem_slots=50, head_size=100, initial_memory="random")
    assert "initial_memory" not in core.params
    assert abs(core.buffers["initial_memory"].std() - 0.1) < 0.005
    np.testing.assert_array_equal(core.initial_state(3), [core.buffers["initial_memory"]] * 3)
    wide = RelationalMemory(input_size=2, mem_slots=50, head_size=100, initial_memory="normal")
    np.testing.assert_allclose(
        wide.buffers["initial_memory"], 10 * core.buffers["initial_memory"], rtol=1e-15
    )
    zeros = RelationalMemory(input_size=2, mem_slots=5, head_size=4, initial_memory="zeros")
    assert not (zeros.params.keys() | zeros.buffers.keys()) & {"initial_memory"}
    np.testing.assert_array_equal(zeros.initial_state(3), np.zeros((3, 5, 4)))


def test_read_head_parameters_start_neutral():
    weighted = RelationalMemory(input_size=2, mem_slots=3, head_size=100, read_head="weighted")
    assert not weighted.params["read_weights"].any()
    query = RelationalMemory(input_size=2, mem_slots=3, head_size=100, read_head="attention")
    scaled = query.params["read_query"] * 10
    assert np.abs(scaled).max() <= 2
    assert 0.7 < scaled.std() < 1.05


def test_the_seed_decides():
    make = [RelationalMemory(2, 3, 4, seed=seed).params["mlp.0.weight"] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(make[0], make[1])
    assert np.abs(make[0] - make[2]).max() > 0
    from_generator = RelationalMemory(2, 3, 4, seed=np.random.default_rng(0))
    np.testing.assert_array_equal(from_generator.params["mlp.0.weight"], make[0])
