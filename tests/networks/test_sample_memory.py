from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vss_ray.networks.sample_memory import Config, SampleMemory


def sample(value: float) -> dict[str, Tensor]:
    return {"features": torch.full((3, 2, 2), value), "label": torch.full((1, 2, 2), -value)}


def begun(config: Config, count: int = 1) -> SampleMemory:
    first = {name: torch.stack([tensor] * count) for name, tensor in sample(0.0).items()}
    return SampleMemory(config, first)


def values(memory: SampleMemory) -> list[float]:
    return memory.read("features")[:, 0, 0, 0].tolist()


def test_the_weights_of_the_rule():
    """First write: all divided by 1 - rate, the new one counts the rate; later ones 1/(1 - rate) of the one before."""
    memory = begun(Config(slots=4, rate=0.1))
    assert memory.weights.tolist() == [1]
    memory.write(sample(1.0))
    total = 1 / 0.9 + 0.1
    torch.testing.assert_close(memory.weights, torch.tensor([1 / 0.9, 0.1]) / total)
    memory.write(sample(2.0))
    raw = torch.tensor([1 / 0.9, 0.1, 0.1 / 0.9])
    torch.testing.assert_close(memory.weights, raw / raw.sum())


def test_a_free_slot_first_then_the_one_that_counts_least():
    memory = begun(Config(slots=3, rate=0.1, first_minimum=0.25))
    assert [memory.write(sample(float(i))) for i in range(1, 6)] == [1, 2, 1, 2, 1]
    assert values(memory) == [0.0, 5.0, 4.0]
    assert memory.weights[1] > memory.weights[2]


def test_the_first_frame_stays_and_keeps_its_share():
    kept, plain = begun(Config(slots=8, rate=0.1, first_minimum=0.25)), begun(Config(slots=8, rate=0.1))
    for i in range(1, 200):
        kept.write(sample(float(i)))
        plain.write(sample(float(i)))
        torch.testing.assert_close(kept.weights.sum(), torch.tensor(1.0))
        assert kept.weights[0] >= 0.25 - 1e-6
    assert values(kept)[0] == 0
    torch.testing.assert_close(kept.weights[0], torch.tensor(0.25))
    assert 0 not in values(plain)


def test_several_first_samples_share_their_minimum():
    memory = begun(Config(slots=9, rate=0.5, first_minimum=0.4), count=2)
    assert memory.weights.tolist() == [0.5, 0.5]
    for i in range(20):
        memory.write(sample(float(i)))
    torch.testing.assert_close(memory.weights[:2], torch.tensor([0.2, 0.2]))
    assert len(memory) == 9


def test_the_newest_counts_most():
    memory = begun(Config(slots=5, rate=0.2))
    for i in range(1, 30):
        slot = memory.write(sample(float(i)))
        if i > 12:  # until then the first has not faded
            assert memory.weights.argmax() == slot


def test_half_precision_costs_half():
    memory = begun(Config(slots=2, rate=0.1))
    memory.write({"features": torch.full((3, 2, 2), 1 / 3), "label": torch.ones(1, 2, 2)})
    read = memory.read("features")
    assert read.dtype == torch.float32
    assert read[1, 0, 0, 0] == torch.tensor(1 / 3).half().float()
    assert memory._stored["features"].element_size() == 2


def test_a_memory_goes_on_from_its_state():
    config = Config(slots=3, rate=0.1, first_minimum=0.25)
    memory = begun(config)
    for i in range(1, 5):
        memory.write(sample(float(i)))
    again = SampleMemory.restored(config, memory.state(), "cpu")
    for i in range(5, 8):
        assert again.write(sample(float(i))) == memory.write(sample(float(i)))
    assert torch.equal(again.weights, memory.weights)
    assert values(again) == values(memory)


def test_refusals():
    for wrong in ({"slots": 0, "rate": 0.1}, {"slots": 1, "rate": 1.0}, {"slots": 1, "rate": 0.1, "first_minimum": 1}):
        with pytest.raises(ValueError, match="wanted slots of 1 or more"):
            Config(**wrong)
    with pytest.raises(ValueError, match="2 first samples do not fit 1 slots"):
        begun(Config(slots=1, rate=0.1), count=2)
