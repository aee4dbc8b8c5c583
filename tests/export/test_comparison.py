"""Tables of measured operating points."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from vss_ray.evaluation.score import Score
from vss_ray.evaluation.tally import Tally
from vss_ray.export.comparison import Row, markdown, picture, table


def score(right: int, wrong: int, infer: float, keyframes: int) -> Score:
    tally = Tally(2)
    tally.count(0, np.array([[right, wrong], [wrong, right]]))
    tally.warped += np.eye(2, dtype=np.int64)
    tally.frames += (10, keyframes, keyframes)
    tally.seconds += (0.01, infer, 0.03)
    return Score.of(tally)


@pytest.fixture
def rows() -> list[Row]:
    per_frame, baseline, carried = score(18, 2, 0.5, 10), score(17, 3, 0.25, 10), score(16, 4, 0.05, 1)
    first = Row.of(
        "per_frame", "per_frame", per_frame, per_frame=per_frame, baseline=per_frame, phases=None, command="a"
    )
    phases = score(14, 6, 0.05, 1)
    return [
        first,
        Row.of("evs", "evs", carried, per_frame=per_frame, baseline=baseline, phases=phases, command="b"),
    ]


def test_a_row(rows):
    carried = rows[1]
    assert carried.mean_iou == pytest.approx(8 / 12)
    assert carried.difference == pytest.approx(8 / 12 - 9 / 11)
    assert carried.own_difference == pytest.approx(8 / 12 - 17 / 23)
    assert carried.average == carried.minimum == pytest.approx(7 / 13)
    assert carried.network_share == pytest.approx(0.1)
    assert (carried.prepare_ms, carried.infer_ms, carried.finish_ms) == pytest.approx((1, 5, 3))
    assert carried.core_ms == pytest.approx(9)
    assert carried.vc8 is None
    assert rows[0].average is None


def test_the_table_for_people(rows):
    text = markdown(rows, {"hardware": "a machine"})
    lines = text.splitlines()
    assert "- hardware: a machine" in lines
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert len({len(line) for line in cells}) == 1
    assert cells[2][:4] == ["`per_frame`", "81.82", "+0.00", "+0.00"]
    assert cells[3][:6] == ["`evs`", "66.67", "-15.15", "-7.25", "53.85", "53.85"]
    assert cells[3][-1] == "`b`"


def test_the_table_for_programs(rows):
    buffer = io.BytesIO()
    pq.write_table(table(rows, {"hardware": "a machine"}), buffer)
    found = pq.read_table(buffer)
    assert [Row(**row) for row in found.to_pylist()] == rows
    assert found.schema.metadata[b"hardware"] == b"a machine"


def test_the_picture(rows):
    image = cv2.imdecode(np.frombuffer(picture(rows, "footage"), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape[1] == 1800
