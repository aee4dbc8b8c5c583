"""Ways of following objects on a real Ray: a tiny DAVIS whose answers are known by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vss_ray.cluster.evaluate_objects import Evaluate, compare
from vss_ray.datasets import davis
from vss_ray.errors import ConfigError, VssError
from vss_ray.evaluation.object_figures import Followed


@pytest.fixture
def tree(tmp_path) -> Path:
    """Two sequences of a square of 20 pixels that moves by 5 and by 10 a frame."""
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    for name, step in (("fast", 10), ("slow", 5)):
        for folder in ("JPEGImages", "Annotations"):
            (tmp_path / folder / "480p" / name).mkdir(parents=True)
        for number in range(4):
            mask = np.zeros((60, 90), np.uint8)
            mask[20:40, 20 + step * number : 40 + step * number] = 255
            cv2.imwrite(
                str(tmp_path / f"JPEGImages/480p/{name}/{number:05d}.jpg"), np.where(mask[..., None], 255, noise)
            )
            cv2.imwrite(str(tmp_path / f"Annotations/480p/{name}/{number:05d}.png"), mask)
    return tmp_path


@pytest.mark.ray
def test_a_table_with_a_row_for_every_way(local_ray, tree):
    rows = compare("davis", tree, ["first", "flow"])
    assert [row["name"] for row in rows] == ["first", "flow"]
    slow, fast = (15 / 25 + 10 / 30) / 2, (10 / 30 + 0) / 2
    assert rows[0]["j_mean"] == pytest.approx((slow + fast) / 2)
    assert all(row["sequences"] == 2 and row["frames_per_second"] > 0 for row in rows)


@pytest.mark.ray
def test_what_goes_wrong_is_told_in_one_sentence(local_ray, tree):
    (tree / "Annotations/480p/slow/00000.png").write_bytes(b"no PNG")
    with pytest.raises(VssError, match=r"first on slow: .*00000\.png"):
        compare("davis", tree, ["first"])


def test_refusals_before_ray_starts(tree):
    with pytest.raises(ConfigError, match="objects are followed by rts"):
        compare("davis", tree, ["sam"])
    with pytest.raises(ConfigError, match="no split 'val'"):
        compare("davis", tree, ["first"], split="val")


def test_an_actor_goes_on_after_a_failure(tree):
    sequences = davis.sequences(tree, "2016/val")
    (tree / "Annotations/480p/fast/00000.png").unlink()
    actor = Evaluate("davis", sequences, "rts_mobilenet_v2_camvid")
    assert actor({"sequence": 0, "name": "first"})["failure"]
    row = actor({"sequence": 1, "name": "first"})
    assert not row["failure"]
    assert Followed.from_json(row["followed"]).outcome.scores[1].frames == 2
