import pytest

from relational_rnn.training.schedule import warmup_cosine


def test_warms_up_then_comes_down():
    first = [warmup_cosine(step, 0.0, warmup_steps=4, final_share=0.1) for step in range(6)]
    assert first == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    later = [warmup_cosine(100, p / 10, warmup_steps=4, final_share=0.1) for p in range(11)]
    assert later == sorted(later, reverse=True)
    assert later[5] == pytest.approx(0.55)
    assert later[-1] == pytest.approx(0.1)
    assert warmup_cosine(100, 1.7, 4, 0.1) == pytest.approx(0.1)


def test_no_warm_up():
    assert warmup_cosine(0, 0.0, warmup_steps=0, final_share=0.0) == 1.0
