"""Modules with any number of inputs and outputs, the same on every engine."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn

from vss_ray import engines, plugins
from vss_ray.engines import openvino
from vss_ray.errors import ConfigError, ModelError

NAMES = plugins.names("engines")


class Mixing(nn.Module):
    """Pixels and features in, scores and features out."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3, 2, 1)
        self.normalization = nn.BatchNorm2d(4)

    def forward(self, pixels: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        x = self.normalization(self.convolution(pixels.permute(0, 3, 1, 2).float() / 255)).relu()
        x = x + nn.functional.interpolate(features.float(), x.shape[-2:], mode="bilinear", align_corners=False)
        return x.softmax(1).permute(0, 2, 3, 1).half(), x


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return Mixing().eval()


@pytest.fixture(scope="module")
def build(module):
    @functools.cache  # conversions take seconds
    def build(name):
        execution = engines.Execution(engine=name, precision="fp32")
        return engines.build_graph(execution, module, threads=1, device="cpu")

    return build


def inputs(count=3, height=16, width=24):
    torch.manual_seed(1)
    return torch.randint(0, 256, (count, height, width, 3), dtype=torch.uint8), torch.rand(count, 4, 4, 6).half()


@pytest.mark.parametrize("name", NAMES)
def test_all_outputs_are_those_of_the_module(name, build, module):
    given = inputs()
    with torch.inference_mode():
        wanted = module(*given)
    found = build(name)(*given)
    assert [each.dtype for each in found] == [torch.float16, torch.float32]
    for one, two in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, two, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_an_item_does_not_depend_on_its_batch(name, build):
    given = inputs()
    together = build(name)(*given)
    backwards = build(name)(*(each.flip(0) for each in given))
    alone = build(name)(*(each[1:2] for each in given))
    for all_of_them, turned, one in zip(together, backwards, alone, strict=True):
        torch.testing.assert_close(turned.flip(0), all_of_them, atol=0, rtol=0)
        torch.testing.assert_close(one[0], all_of_them[1], atol=0, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_answers_stay_when_the_graph_is_asked_again(name, build):
    first = [each.clone() for each in build(name)(*inputs())]
    kept = build(name)(*inputs())
    build(name)(*inputs(height=32, width=16))  # sizes may alternate
    build(name)(torch.zeros_like(inputs()[0]), torch.zeros_like(inputs()[1]))
    for one, two in zip(kept, first, strict=True):
        torch.testing.assert_close(one, two, atol=0, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_views_are_welcome(name, build):
    """As slices and transposed features are."""
    pixels, features = inputs()
    turned = features.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    large = torch.zeros(3, 16, 48, 3, dtype=torch.uint8)
    large[:, :, ::2] = pixels
    for one, two in zip(build(name)(large[:, :, ::2], turned), build(name)(pixels, features), strict=True):
        torch.testing.assert_close(one, two, atol=0, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_one_output_is_a_tuple_too(name):
    execution = engines.Execution(engine=name, precision="fp32")
    graph = engines.build_graph(execution, nn.Conv2d(3, 2, 1), threads=1, device="cpu")
    (output,) = graph(torch.rand(2, 3, 4, 4))
    assert output.shape == (2, 2, 4, 4)


def test_a_module_that_openvino_cannot_run():
    class Picky(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.sum() > 0:  # depends on the values: no graph
                return x
            return -x

    graph = openvino.build_graph(openvino.Config(), Picky(), threads=1, device="cpu")
    with pytest.raises(ModelError, match=r"cannot run Picky on 3x4x5: .+set segmenter\.engine=torch"):
        graph(torch.rand(2, 3, 4, 5))


def test_openvino_is_for_the_cpu():
    with pytest.raises(ConfigError, match="runs on the CPU, not on cuda"):
        openvino.build_graph(openvino.Config(), nn.Conv2d(3, 2, 1), threads=1, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_is_nearly_what_the_cpu_says(module):
    execution = engines.Execution(engine="torch", precision="fp32")
    graph = engines.build_graph(execution, module, threads=1, device="cuda")
    with torch.inference_mode():
        wanted = module.cpu()(*inputs())
    found = graph(*(each.cuda() for each in inputs()))
    for one, two in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.cpu(), two, atol=5e-3, rtol=0)
    module.cpu()
