"""What is recorded once is replayed, and says what it would have said."""

from __future__ import annotations

import pytest
import torch

from vss_ray.engines._cuda_replay import MOST_SHAPES, CudaGraphs, Replay


def double(values, others):
    return values * 2, values.sum() + others


class Recorder:
    """Records as CUDA does: outputs are always in the same memory."""

    def __init__(self):
        self.recorded, self.replayed = [], 0

    def __call__(self, run, inputs):
        outputs = tuple(torch.empty_like(each) for each in run(*inputs))
        self.recorded.append(tuple(inputs[0].shape))

        def replay():
            self.replayed += 1
            for ours, new in zip(outputs, run(*inputs), strict=True):
                ours.copy_(new)

        return outputs, replay


def inputs(size=4, seed=0):
    torch.manual_seed(seed)
    return torch.randn(size, 3), torch.randn(2)


def check(given, outputs):
    for found, wanted in zip(outputs, double(*given), strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_recorded_once_for_every_combination_of_shapes():
    recorder = Recorder()
    replay = Replay(double, recorder)
    for seed in range(3):
        for size in (4, 7):
            check(inputs(size, seed), replay(*inputs(size, seed)))
    assert recorder.recorded == [(4, 3), (7, 3)]
    assert recorder.replayed == 6


def test_inputs_belong_to_the_caller_and_outputs_to_the_graph():
    replay = Replay(double, Recorder())
    given = inputs()
    first = replay(*given)
    check(inputs(), first)
    given[0].zero_()
    check(inputs(seed=1), replay(*inputs(seed=1)))
    check(inputs(seed=1), first)  # the same memory: the engine copies before it asks again


def test_views_laid_out_otherwise_are_recorded_apart():
    recorder = Recorder()
    replay = Replay(double, recorder)
    square = torch.arange(9.0).view(3, 3)
    check((square, torch.zeros(2)), replay(square, torch.zeros(2)))
    check((square.T, torch.zeros(2)), replay(square.T, torch.zeros(2)))
    assert len(recorder.recorded) == 2


def test_those_used_last_are_kept():
    recorder = Recorder()
    replay = Replay(double, recorder)
    for size in range(1, 2 + MOST_SHAPES):  # one too many: the first is let go
        replay(*inputs(1))
        replay(*inputs(size))
    replay(*inputs(2))
    replay(*inputs(1))
    assert recorder.recorded == [(size, 3) for size in (*range(1, 2 + MOST_SHAPES), 2)]


def test_what_cannot_be_recorded_is_called_as_it_is(caplog):
    asked = []

    def refuse(run, inputs):
        asked.append(inputs)
        raise RuntimeError("it looks at a value")

    replay = Replay(double, refuse)
    for size in (4, 7, 4):
        check(inputs(size), replay(*inputs(size)))
    assert len(asked) == 1
    assert "it looks at a value" in caplog.text


def test_without_a_device_nothing_is_recorded():
    check(inputs(), Replay(double, None)(*inputs()))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda():
    replay = Replay(double, CudaGraphs())
    for seed in range(3):
        for size in (4, 7):
            given = tuple(each.cuda() for each in inputs(size, seed))
            check(given, replay(*given))
    assert len(replay._recorded) == 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_what_looks_at_values_is_not_recorded_on_cuda():
    def picky(values, others):
        return double(values, others) if values.sum() > -1e9 else double(others, values)

    replay = Replay(picky, CudaGraphs())
    for seed in range(3):
        given = tuple(each.cuda() for each in inputs(seed=seed))
        check(given, replay(*given))
    assert not replay._recorded
    again = Replay(double, CudaGraphs())  # and costs nothing else
    given = tuple(each.cuda() for each in inputs())
    check(given, again(*given))
    assert again._recorded
