"""Second stages as a device runs them: whole batches, tensors that stay there. On a CPU the same code, where it can."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from torch import nn

from vss_ray import config, stages
from vss_ray.clips import Clip
from vss_ray.datasets import scenes
from vss_ray.frames import Frame
from vss_ray.inference.batches import fetched, fetched_alike
from vss_ray.inference.warping import carry, carry_batch, carry_both
from vss_ray.networks.pixels import Normalized, normalize

HEIGHT, WIDTH, COUNT = 96, 160, 7
POINTS = {
    "every picture": ("per_frame",),
    "tiles": ("evs-repair", "keyframes.every=3"),
    "refiner": ("evs", "method.direction=forward", "method.refine_every=2", "keyframes.every=3"),
    "chains": ("gsvnet-2", "method.direction=both", "keyframes.every=3"),
    "chains with a flow of their own": ("gsvnet-2", "method.flow=learned", "keyframes.every=3"),
    "common features": ("dcfm-1",),
    "common features, carried": ("dcfm-2", "keyframes.every=3"),
    "memory": ("lmanet",),
}


@functools.cache
def prepared(name):
    """Two clips of one size and one of another."""
    clips = []
    for seed, (height, width) in enumerate([(HEIGHT, WIDTH), (HEIGHT, WIDTH), (WIDTH, HEIGHT)]):
        street = scenes.render(scenes.Config(height=height, width=width, num_frames=COUNT - seed, fps=10.0, seed=seed))
        frames = [Frame.from_rgb(picture.rgb, i / 10) for i, picture in enumerate(street)]
        clip = Clip.of_pictures(f"clip {seed}", len(frames), 10.0, height, width)
        clips.append(stages.build_method(point(name)).prepare(clip, iter(frames)))
    return clips


def point(name, precision="fp32"):
    base, *sets = POINTS[name]
    sets = [*sets, "segmenter.short_side=96", "segmenter.engine=torch", f"segmenter.precision={precision}"]
    return config.load(base, sets).resolved(False)


def build(name, device, batch, precision="fp32"):
    return stages.build_inference(point(name, precision), threads=1, device=device, batch=batch)


def check(found, wanted, tolerance):
    for one, two in zip(found, wanted, strict=True):
        for mine, theirs in [(one.scores, two.scores), *((array, two.extra[key]) for key, array in one.extra.items())]:
            assert mine.dtype == theirs.dtype == np.float16
            assert mine.flags.c_contiguous
            assert mine.shape == theirs.shape
            assert np.abs(mine.astype(np.float32) - theirs).sum() <= tolerance * mine.size
        assert (one.embeddings is None) == (two.embeddings is None)
        if one.embeddings is not None:
            np.testing.assert_allclose(one.embeddings, two.embeddings, atol=10 * tolerance)


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", POINTS)
def test_a_batch_is_its_items(name, precision):
    wanted = build(name, "cpu", 1, precision)(prepared(name))
    check(build(name, "cpu", 4, precision)(prepared(name)), wanted, tolerance=0.0)


@pytest.mark.parametrize("name", ["common features, carried", "memory"])
def test_what_a_device_does_for_itself_is_what_the_cpu_has_kernels_for(name):
    inference = build(name, "cpu", 4)
    wanted = inference(prepared(name))
    inference._device = torch.device("meta")  # any that is no CPU; batches are computed where they were
    check(inference(prepared(name)), wanted, tolerance=1e-3)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("precision", "tolerance", "agreement"), [("fp32", 5e-3, 0.99), ("bf16", 2e-2, 0.97)])
@pytest.mark.parametrize("name", POINTS)
def test_cuda_is_nearly_what_the_cpu_says(name, precision, tolerance, agreement):
    wanted = build(name, "cpu", 1)(prepared(name))
    on_cuda = build(name, "cuda", 4, precision)
    found = on_cuda(prepared(name))
    check(found, wanted, tolerance)
    for one, two in zip(found, wanted, strict=True):
        assert (one.scores.argmax(-1) == two.scores.argmax(-1)).mean() > agreement
    check(on_cuda(prepared(name)), found, tolerance=0.0)
    for clip, together in zip(prepared(name), found, strict=True):
        check(on_cuda([clip]), [together], tolerance=0.0)


@pytest.mark.parametrize("grid", [(6, 8), (24, 32)])
def test_features_are_carried_in_batches_as_one_by_one(grid):
    rng = np.random.default_rng(0)
    before, after = (torch.from_numpy(rng.normal(0, 1, (3, 12, 16, 5)).astype(np.float32)) for _ in range(2))
    to_before, to_after = (rng.normal(0, 1.5, (3, *grid, 2)).astype(np.float16) for _ in range(2))
    weight = rng.random((3, *grid)).astype(np.float16)
    (found,) = carry_batch(before, torch.from_numpy(to_before))
    wanted = torch.stack([carry(one, field) for one, field in zip(before, to_before, strict=True)])
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=0)
    fields = [torch.from_numpy(each) for each in (to_before, to_after, weight)]
    (found,) = carry_batch(before, after, *fields)
    each = zip(before, after, to_before, to_after, weight, strict=True)
    torch.testing.assert_close(found, torch.stack([carry_both(*one) for one in each]), atol=2e-3, rtol=0)


def test_what_is_on_the_host_is_not_copied():
    tensors = list(torch.rand(3, 4))
    for tensor, array in zip(tensors, fetched_alike(tensors), strict=True):
        assert array.ctypes.data == tensor.data_ptr()
    assert fetched(tensors[0]).ctypes.data == tensors[0].data_ptr()
    assert fetched_alike([]) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_what_is_on_a_device_comes_down():
    tensor = torch.rand(3, 4, 5).half()
    np.testing.assert_array_equal(fetched(tensor.cuda()), tensor)
    np.testing.assert_array_equal(fetched(tensor.cuda().transpose(1, 2)), tensor.transpose(1, 2))
    np.testing.assert_array_equal(fetched_alike(list(tensor.cuda())), tensor)


def test_normalized_holds_its_numbers_and_stores_none():
    pixels = torch.randint(0, 256, (2, 4, 6, 3), dtype=torch.uint8)
    module: nn.Module = Normalized((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    torch.testing.assert_close(module(pixels), normalize(pixels, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), rtol=0, atol=0)
    assert [buffer.shape for buffer in module.buffers()] == [(3,), (3,)]
    assert not module.state_dict()
