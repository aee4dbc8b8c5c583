from __future__ import annotations

import functools
import sys

import numpy as np
import pytest

from vss_ray import engines, plugins
from vss_ray.errors import ConfigError
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD

NAMES = plugins.names("engines")


@pytest.fixture(scope="module")
def build(network):
    @functools.cache  # conversions take seconds
    def build(name, precision="fp32"):
        execution = engines.Execution(engine=name, precision=precision)
        return engines.build(execution, network, mean=IMAGENET_MEAN, std=IMAGENET_STD, threads=1, device="cpu")

    return build


def test_all_are_known():
    assert NAMES == ["openvino", "torch"]


@pytest.mark.parametrize("name", NAMES)
def test_fp32_is_what_plain_torch_says(name, build, pixels, expected):
    scores, _ = build(name)(pixels)
    assert scores.dtype == np.float16
    assert scores.shape == expected.shape == (2, 24, 40, 11)
    assert scores.flags.c_contiguous
    assert np.abs(scores.astype(np.float32) - expected).max() < 1e-3
    assert (scores.argmax(-1) == expected.argmax(-1)).mean() > 0.999


@pytest.mark.parametrize("name", NAMES)
def test_bf16_is_nearly_that(name, build, pixels, expected):
    if not plugins.load("engines", name).has_bf16():
        pytest.skip("this CPU has no bf16")
    scores, expected = build(name, "bf16")(pixels)[0].astype(np.float32), expected.astype(np.float32)
    assert np.abs(scores - expected).mean() < 0.02
    # The network is random: most pixels are a tie. Where it prefers a class, that class must win.
    second, first = np.moveaxis(np.sort(expected, -1)[..., -2:], -1, 0)
    agrees = scores.argmax(-1) == expected.argmax(-1)
    assert agrees[first - second > 0.1].mean() > 0.995
    assert not np.array_equal(scores, expected)  # it really ran in bf16
    # The softmax itself is not bf16, or sums would be off by a percent.
    assert np.abs(scores.sum(-1) - 1).max() < 2e-3


@pytest.mark.parametrize("name", NAMES)
def test_sizes_may_alternate(name, build, pixels):
    engine = build(name)
    wide, tall = pixels, np.ascontiguousarray(pixels.swapaxes(1, 2))
    first, _ = engine(wide)
    assert engine(tall)[0].shape == (2, 40, 24, 11)
    np.testing.assert_array_equal(engine(wide)[0], first)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_independent_of_its_batch(name, build, pixels):
    engine = build(name)
    together, _ = engine(pixels)
    np.testing.assert_array_equal(engine(pixels[1:])[0][0], together[1])
    np.testing.assert_array_equal(engine(pixels[::-1])[0][0], together[1])


def test_cuda_means_torch_and_bf16():
    resolved = engines.resolve(engines.Execution(), has_cuda=True)
    assert (resolved.engine, resolved.precision) == ("torch", "bf16")


def test_cpu_means_openvino_and_what_the_processor_has():
    resolved = engines.resolve(engines.Execution(), has_cuda=False)
    has_bf16 = plugins.load("engines", "openvino").has_bf16()
    assert (resolved.engine, resolved.precision) == ("openvino", "bf16" if has_bf16 else "fp32")


def test_the_users_choice_stands():
    chosen = engines.Execution(engine="torch", precision="fp32")
    assert engines.resolve(chosen, has_cuda=False) == chosen
    assert engines.resolve(chosen, has_cuda=True) == chosen


def test_without_openvino(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert engines.resolve(engines.Execution(), has_cuda=False).engine == "torch"
    with pytest.raises(ConfigError, match=r"no openvino here; pip install 'vss-ray\[cpu\]'"):
        engines.resolve(engines.Execution(engine="openvino"), has_cuda=False)


def test_compile_is_torchs_alone():
    with pytest.raises(ConfigError, match="engine openvino does not know it"):
        engines.resolve(engines.Execution(engine="openvino", compile=True), has_cuda=False)
    assert engines.resolve(engines.Execution(engine="torch", compile=True), has_cuda=False).compile
