"""Fixtures that every part shares: footage, a local Ray, a real S3 server."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest

cv2.setNumThreads(1)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real footage; skips where there is none."""
    folder = os.environ.get("VSS_TEST_DATA")
    if not folder:
        pytest.skip("VSS_TEST_DATA is not set: no real footage here")
    return Path(folder)
