"""Batches through a device in order, whatever the order in which its streams do their work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from vss_ray.engines._cuda_overlap import MOST_SHAPES, Overlap

CPU = torch.device("cpu")


def _load():
    """Beside this file; tests are no package."""
    spec = importlib.util.spec_from_file_location("asynchronous", Path(__file__).with_name("asynchronous.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


asynchronous = _load()


def pictures(count, height=4, width=6, seed=0):
    noise = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), np.uint8)
    noise.flags.writeable = False  # as they come out of the object store
    return list(noise)


def plain(pixels):
    """Of pictures (B, h, w, 3): maps (B, w, h, 3), turned in memory, and vectors (B, 3)."""
    return pixels.permute(0, 2, 1, 3).half() / 2, pixels.float().sum((1, 2))


def check(given, answers):
    for found, wanted in zip(answers, plain(torch.from_numpy(np.stack(given))), strict=True):
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, wanted.numpy())


class Recorded:
    """As a recorded graph: always the same memory for outputs. Remembers what it was given."""

    def __init__(self, do=lambda action: action()):
        self.do, self.seen, self.shapes, self.outputs = do, set(), [], {}

    def __call__(self, pixels):
        self.seen.add(pixels.data_ptr())
        self.shapes.append(tuple(pixels.shape))
        outputs = self.outputs.setdefault(tuple(pixels.shape), plain(torch.zeros_like(pixels)))

        def compute():
            for ours, new in zip(outputs, plain(pixels), strict=True):
                ours.copy_(new)

        self.do(compute)
        return outputs


@pytest.mark.parametrize("batch", [1, 2, 4])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 11])
def test_every_picture_gets_its_own_in_batches_of_one_shape(batch, count):
    network = Recorded()
    through = Overlap(network, CPU)
    check(pictures(count), through(pictures(count), batch))
    assert network.shapes == [(batch, 4, 6, 3)] * -(-count // batch)
    assert len(network.seen) == min(2, len(network.shapes))  # two slots in turn


def test_a_batch_is_filled_up_with_its_last_picture():
    seen = []

    def network(pixels):
        seen.append(pixels.clone())
        return (pixels.float(),)

    Overlap(network, CPU)(pictures(6), 4)
    assert [len(each.unique(dim=0)) for each in seen] == [4, 2]
    np.testing.assert_array_equal(seen[1][1:], np.stack([pictures(6)[5]] * 3))


def test_answers_stay_when_others_are_asked_for():
    through = Overlap(Recorded(), CPU)
    first = through(pictures(5), 2)
    through(pictures(5, seed=1), 2)
    through(pictures(3, 8, 2, seed=2), 2)
    check(pictures(5), first)


def test_sizes_may_alternate_and_slots_of_a_few_are_kept():
    network = Recorded()
    through = Overlap(network, CPU)
    for _ in range(2):
        for height in range(2, 2 + MOST_SHAPES):
            check(pictures(5, height, seed=height), through(pictures(5, height, seed=height), 2))
    assert len(network.seen) == 2 * MOST_SHAPES
    for height in range(20, 20 + MOST_SHAPES):
        check(pictures(3, height), through(pictures(3, height), 2))
    assert len(through._slots) == MOST_SHAPES


def test_a_network_that_fails_leaves_no_trace():
    network = Recorded()
    through = Overlap(network, CPU)

    def fail(action):
        raise RuntimeError("out of memory")

    through(pictures(3), 2)
    network.do, works = fail, network.do
    with pytest.raises(RuntimeError, match="out of memory"):
        through(pictures(5, seed=1), 2)
    network.do = works
    check(pictures(5, seed=2), through(pictures(5, seed=2), 2))


@pytest.mark.parametrize("seed", range(40))
def test_streams_may_run_as_they_like(seed, monkeypatch):
    streams = asynchronous.Streams(seed)
    monkeypatch.setattr(torch, "get_device_module", lambda device: streams)
    with streams:
        through = Overlap(Recorded(streams.do), CPU)
        first = through(pictures(11), 2)
        second = through(pictures(7, seed=1), 2)
        third = through(pictures(5, 2, 8, seed=2), 2)
    check(pictures(11), first)
    check(pictures(7, seed=1), second)
    check(pictures(5, 2, 8, seed=2), third)


@pytest.mark.parametrize("forgotten", ["up", "compute", "outputs", "down", "host", "end"])
def test_every_wait_is_needed(forgotten, monkeypatch):
    """These streams do go wrong where one of the waits of a batch is left out: the test above would notice."""
    wait, synchronize = asynchronous.Event.wait, asynchronous.Event.synchronize

    def is_right(seed):
        streams = asynchronous.Streams(seed)
        waits, batches = iter(["up", "compute", "outputs", "down"] * 6), iter(["host"] * 6 + ["end"] * 2)
        monkeypatch.setattr(asynchronous.Event, "wait", lambda *of: next(waits) == forgotten or wait(*of))
        monkeypatch.setattr(
            asynchronous.Event, "synchronize", lambda *of: next(batches) == forgotten or synchronize(*of)
        )
        monkeypatch.setattr(torch, "get_device_module", lambda device: streams)
        with streams:
            answers = Overlap(Recorded(streams.do), CPU)(pictures(11), 2)
        wanted = plain(torch.from_numpy(np.stack(pictures(11))))
        return all(np.array_equal(one, two) for one, two in zip(answers, wanted, strict=True))

    assert not all(is_right(seed) for seed in range(40))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda():
    through = Overlap(plain, torch.device("cuda"))
    for seed, count in enumerate([1, 33, 40, 7]):
        check(pictures(count, 64, 96, seed), through(pictures(count, 64, 96, seed), 4))
