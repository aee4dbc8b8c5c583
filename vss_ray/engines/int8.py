"""Graphs in int8: activations and weights quantized after training, by NNCF, from pictures and without labels.

Ranges are those that the pictures show; weights are symmetric, activations not (NNCF's preset MIXED). Then the bias of
every layer is corrected by the mean error that quantization of all layers before it leaves (NNCF's BiasCorrection). Its
fast form, the default of NNCF, looks at each layer alone: SwiftNet with MobileNetV2 loses 0.6 points of mIoU by that,
and 0.1 by the other, in the same time. Normalization, pooling and softmax stay in floats.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vss_ray import kept
from vss_ray.engines import _graphs
from vss_ray.engines._runtime import runtime
from vss_ray.errors import ConfigError, ModelError

Size = tuple[int, int]
"""(height, width) of a network's input."""
LENGTH_BYTES = 8
DIGEST_BYTES = 16


def is_available() -> bool:
    """Whether NNCF is installed; to run what it made needs OpenVINO alone."""
    return importlib.util.find_spec("nncf") is not None


def quantize(graph: Any, pictures: Sequence[NDArray[np.uint8]]) -> bytes:
    """What ``_graphs.read`` reads, in int8. The same graph and pictures are done once on a machine.

    Args:
        graph: An ``openvino.Model``, see ``openvino.OpenVino.graph``.
        pictures: RGB (h, w, 3) of its size; sixteen different ones do.

    Raises:
        ConfigError: NNCF is not installed.
    """
    if not is_available():
        raise ConfigError("segmenter.precision: int8 needs the package nncf; pip install 'vss-ray[int8]', or take bf16")
    seen = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for picture in pictures:
        seen.update(picture.tobytes())
    content = _graphs.written(graph)
    key = {"graph": hashlib.blake2b(content, digest_size=DIGEST_BYTES).hexdigest(), "pictures": seen.hexdigest()}
    return kept.recall("int8", key, lambda: _graphs.written(_quantized(_graphs.read(content), pictures)))


def _quantized(graph: Any, pictures: Sequence[NDArray[np.uint8]]) -> Any:
    runtime()  # first, or NNCF would call home, too
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        return nncf.quantize(
            graph,
            nncf.Dataset([picture[None] for picture in pictures]),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(pictures),
            fast_bias_correction=False,
        )


def pack(graphs: Mapping[Size, bytes]) -> bytes:
    """Several of ``quantize`` in one piece, to be stored with a run."""
    sizes = sorted(graphs)
    header = json.dumps([[*size, len(graphs[size])] for size in sizes]).encode()
    content = b"".join([len(header).to_bytes(LENGTH_BYTES, "little"), header, *(graphs[size] for size in sizes)])
    return _digest(content) + content


def unpack(packed: bytes) -> dict[Size, bytes]:
    """The opposite of ``pack``.

    Raises:
        ModelError: It is not that, or damaged.
    """
    content = packed[DIGEST_BYTES:]
    if _digest(content) != packed[:DIGEST_BYTES]:
        raise ModelError("the int8 graphs of this run are damaged; give another OUT, and they are made anew")
    start = LENGTH_BYTES + int.from_bytes(content[:LENGTH_BYTES], "little")
    graphs = {}
    for height, width, length in json.loads(content[LENGTH_BYTES:start]):
        graphs[height, width] = content[start : start + length]
        start += length
    return graphs


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
