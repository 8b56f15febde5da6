import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from relational_rnn.nn import CausalTransformer  # noqa: E402
from relational_rnn.recipes import find_recipe  # noqa: E402
from relational_rnn.tasks.nth_farthest import sample  # noqa: E402
from relational_rnn.tasks.nth_farthest_variants import with_reference_at  # noqa: E402
from relational_rnn.training.contestants import contestants  # noqa: E402
from relational_rnn.training.learners.recording import (  # noqa: E402
    record_attention,
    record_attention_at,
    record_memories,
    record_transformer,
)
from relational_rnn.training.learners.torch_models import build_model  # noqa: E402
from tolerances import assert_close  # noqa: E402

CONFIG = find_recipe("nth-farthest", "tiny")
MODEL = build_model(CONFIG, contestants(CONFIG)[0])


def test_records_what_the_model_does():
    batch = sample(CONFIG.task, 5, np.random.default_rng(0))
    recorded = record_attention(MODEL, batch)
    with torch.no_grad():
        predictions = MODEL(torch.from_numpy(batch.inputs)).argmax(1)
    assert [one.prediction for one in recorded] == predictions.tolist()
    assert [one.answer for one in recorded] == batch.targets.tolist()
    for one, labels in zip(recorded, batch.labels.tolist(), strict=True):
        assert one.attention.shape == (3, 2, 2, 3)  # T, H, N, M
        np.testing.assert_allclose(one.attention.sum(-1), 1, rtol=1e-5)
        assert labels[one.reference_step] == one.reference


def test_attention_at_a_step_is_that_of_the_batch():
    recorded = record_attention_at(MODEL, CONFIG.task, np.random.default_rng(0), examples=4, step=2)
    assert [one.reference_step for one in recorded] == [2] * 4
    batch = with_reference_at(sample(CONFIG.task, 4, np.random.default_rng(0)), 2)
    for one, again in zip(recorded, record_attention(MODEL, batch), strict=True):
        np.testing.assert_array_equal(one.attention, again.attention)


def test_memories_are_what_the_head_reads():
    recorded = record_memories(MODEL, CONFIG.task, np.random.default_rng(0), examples=30, step=1)
    batch = with_reference_at(sample(CONFIG.task, 30, np.random.default_rng(0)), 1)
    assert recorded.memories.shape == (30, 3, 2, 8)  # B, T, N, D
    np.testing.assert_array_equal(recorded.vectors, batch.vectors)
    np.testing.assert_array_equal(recorded.labels[:, 1], batch.reference)
    with torch.no_grad():
        last = torch.from_numpy(recorded.memories[:, -1]).flatten(1)
        torch.testing.assert_close(MODEL.head(last), MODEL(torch.from_numpy(batch.inputs)))


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary"])
def test_the_attention_of_a_transformer_is_what_mixes_its_values(positions):
    core = CausalTransformer(5, 4, num_heads=2, num_layers=3, positions=positions, batch_first=True).double()
    inputs, mixed = np.random.default_rng(0).standard_normal((7, 6, 5)), []
    for layer in core.layers:
        layer.attention_output.register_forward_pre_hook(lambda layer, given: mixed.append(given[0]))
    attention = record_transformer(core, inputs)
    assert attention.shape == (7, 6, 3, 2, 1, 6)
    later = np.broadcast_to(np.triu(np.ones((6, 6), dtype=bool), 1)[:, None, None, None], attention.shape[1:])
    np.testing.assert_array_equal(np.isnan(attention), np.broadcast_to(later, attention.shape))
    with torch.no_grad():
        values = core(torch.from_numpy(inputs))[1].values.numpy()
    weights = np.nan_to_num(attention[..., 0, :])
    found = np.einsum("btlhm,blhmk->lbthk", weights, values).reshape(3, 7, 6, 8)
    assert_close(found, torch.stack(mixed[:3]).numpy())
