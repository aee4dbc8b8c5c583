"""Networks as OpenVINO's graphs of one fixed size, and graphs as bytes.

To export a network from torch and to convert it takes seconds, to read the graph again a hundredth of one; it is kept
between processes (``vss_ray.kept``). Kept or made a moment ago, what runs was read from the same bytes.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vss_ray import kept
from vss_ray.engines._runtime import runtime

if TYPE_CHECKING:
    from torch import Tensor, nn

KIND = "graphs"
LENGTH_BYTES = 8


def read(content: bytes) -> Any:
    """The graph, an ``openvino.Model``, of what ``written`` gave."""
    stop = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    return runtime().Core().read_model(content[LENGTH_BYTES:stop], content[stop:])


def written(graph: Any) -> bytes:
    """OpenVINO's own form, XML and numbers, in one piece."""
    with tempfile.TemporaryDirectory() as folder:
        description, numbers = Path(folder, "graph.xml"), Path(folder, "graph.bin")
        runtime().serialize(graph, description, numbers)
        text = description.read_bytes()
        return len(text).to_bytes(LENGTH_BYTES, "little") + text + numbers.read_bytes()


def recalled(key: Mapping[str, Any] | None, make: Callable[[], Any]) -> Any:
    """The graph that ``make`` gives, kept between processes where ``key`` says what decides it."""
    if key is None:
        return read(written(make()))
    return read(kept.recall(KIND, key, lambda: written(make())))


def of_network(network: nn.Module | Path, mean: Sequence[float], std: Sequence[float], height: int, width: int) -> Any:
    """Probabilities (1, h/s, w/s, C) and, where the network has any, embeddings (1, E) of pixels (1, h, w, 3) uint8."""
    return (_from_onnx if isinstance(network, Path) else _from_torch)(network, mean, std, height, width)


def of_module(module: nn.Module, examples: Sequence[Tensor]) -> Any:
    """``module`` on inputs of the shapes and types of ``examples``."""
    import torch

    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore", FutureWarning)  # torch about torch
        # Exported, not traced: networks that compute with the size of the picture do not trace.
        graph = runtime().convert_model(torch.export.export(module, tuple(examples)))
    graph.reshape({i: list(example.shape) for i, example in enumerate(examples)})
    return graph


def _from_torch(network: Any, mean: Sequence[float], std: Sequence[float], height: int, width: int) -> Any:
    import torch

    from vss_ray.networks.embedding import embedded
    from vss_ray.networks.pixels import Probabilities

    module = embedded(Probabilities(network, mean, std), network).eval()
    return of_module(module, [torch.zeros((1, height, width, 3), dtype=torch.uint8)])


def _from_onnx(path: Any, mean: Sequence[float], std: Sequence[float], height: int, width: int) -> Any:
    openvino = runtime()
    model = openvino.Core().read_model(path)
    model.reshape([1, 3, height, width])
    stages = openvino.preprocess.PrePostProcessor(model)
    stages.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    stages.input().model().set_layout(openvino.Layout("NCHW"))
    stages.input().preprocess().convert_element_type(openvino.Type.f32).mean(list(mean)).scale(list(std))
    model = stages.build()
    operations = openvino.opset13
    probabilities = operations.softmax(model.outputs[0].get_node().input_value(0), 1)
    channels_last = operations.transpose(probabilities, np.array([0, 2, 3, 1]))
    return openvino.Model([operations.result(operations.convert(channels_last, "f16"))], model.get_parameters())
