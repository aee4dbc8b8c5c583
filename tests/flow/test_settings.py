"""Settings with which a search would divide by zero, skip pixels or end the process are refused."""

from __future__ import annotations

import pytest

from vss_ray import config
from vss_ray.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "option", "values"),
    [
        ("dis", "stride", (0, -1, 9)),
        ("dis", "finest", (-1,)),
        ("dis", "iterations", (0,)),
        ("farneback", "levels", (-1,)),
        ("farneback", "window", (0, -3, 1)),
        ("farneback", "iterations", (0,)),
        ("inverse_search", "stride", (0, -1, 9)),
        ("inverse_search", "iterations", (0,)),
    ],
)
def test_refusals(name, option, values):
    for value in values:
        with pytest.raises(
            ConfigError, match=rf"^flow: got .*'{option}': {value}.*wanted .*{option} .*{option}={value}"
        ):
            config.from_dict({"method": "evs", "segmenter": "builtin", "flow": {"name": name, option: value}})
