from __future__ import annotations

from pathlib import Path

import pytest

from vss_ray.errors import ConfigError, ModelError
from vss_ray.training import request

BASE = "random:mobilenet_v2"


def test_the_segmenter_that_is_built_on():
    assert request.check("dcfm", Path("out.safetensors"), BASE, None).taxonomy.name == "camvid"


def test_refusals():
    with pytest.raises(ConfigError, match=r"--out out\.pth: wanted a file that ends in \.safetensors"):
        request.check("dcfm", Path("out.pth"), BASE, None)
    with pytest.raises(ConfigError, match=r"--imagenet a\.pth: dcfm builds on --base; leave it out"):
        request.check("dcfm", Path("out.safetensors"), BASE, Path("a.pth"))
    with pytest.raises(ModelError, match=r"no file .*none\.safetensors"):
        request.check("dcfm", Path("out.safetensors"), "none", None)
