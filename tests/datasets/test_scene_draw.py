import numpy as np
import pytest

from vss_ray.datasets.scene_draw import Camera, Quad, Quads, Texture, paint
from vss_ray.datasets.scene_flow import backward_flow, label_maps, was_visible

STILL = np.zeros((1, 3))
HEIGHT, WIDTH = 120, 160


def camera(x: float = 0.0, z: float = 0.0, yaw: float = 0.0, pitch: float = 0.0) -> Camera:
    return Camera(HEIGHT, WIDTH, (x, 0.0, z), yaw, pitch)


def texture(seed: int = 0, alpha: int = 255) -> Texture:
    image = np.random.default_rng(seed).integers(0, 256, (64, 64, 4), np.uint8)
    image[..., 3] = alpha
    return Texture(image)


def upright(
    z: float, half: float, surface: int, label: int, *, layer: int = 1, mover: int = -1, x: float = 0.0
) -> Quad:
    corner, across, down = (x - half, -half, z), (2 * half, 0.0, 0.0), (0.0, 2 * half, 0.0)
    kind = {"label": label, "layer": layer, "depth_z": z, "surface": surface, "mover": mover}
    return Quad(texture(surface), corner, across, down, **kind)


def project(at: Camera, point: np.ndarray) -> np.ndarray:
    seen = at.matrix @ at.rotation @ (point - at.position)
    return seen[:2] / seen[2]


def test_a_level_keeps_an_invisible_rim():
    level = texture().level(1, 2)
    assert level.shape == (16 + 2, 32 + 2, 4)
    assert level[1:-1, 1:-1, 3].min() == 255
    assert level[[0, -1], :, 3].max() == 0
    assert level[:, [0, -1], 3].max() == 0
    assert texture().level(7, 7).shape == (3, 3, 4)


def test_a_quad_covers_the_pixels_that_it_is_projected_to():
    shot = paint(camera(), Quads([upright(10.0, 2.0, 7, 3)]), STILL)
    rows, columns = np.nonzero(shot.surface == 7)
    half = 0.85 * WIDTH * 2.0 / 10.0
    assert columns.min() == pytest.approx((WIDTH - 1) / 2 - half, abs=1)
    assert columns.max() == pytest.approx((WIDTH - 1) / 2 + half, abs=1)
    assert rows.min() == pytest.approx((HEIGHT - 1) / 2 - half, abs=1)
    labels, _ = label_maps(shot)
    assert (labels[rows, columns] == 3).all()


def test_what_is_near_hides_what_is_far_and_the_invisible_hides_nothing():
    far, near = upright(20.0, 5.0, 1, 1), upright(10.0, 1.0, 2, 2)
    glass = Quad(texture(alpha=0), (-1, -1, 5), (2, 0, 0), (0, 2, 0), label=3, layer=1, depth_z=5, surface=3)
    for order in ([far, near, glass], [glass, near, far]):
        surface = paint(camera(), Quads(order), STILL).surface
        assert surface[HEIGHT // 2, WIDTH // 2] == 2
        assert surface[HEIGHT // 2, WIDTH // 2 + 25] == 1
        assert 3 not in surface


def test_nothing_is_seen_from_behind():
    mirrored = Quad(texture(), (2, -2, 9), (-4, 0, 0), (0, 4, 0), label=1, layer=1, depth_z=9, surface=4)
    assert paint(camera(), Quads([mirrored]), STILL).surface.max() == 0


def test_ground_that_goes_on_behind_the_camera_stays_below_the_horizon():
    ground = Quad(texture(), (-50, 1.5, 80), (100, 0, 0), (0, 0, -100), label=3, layer=0, depth_z=0, surface=5)
    surface = paint(camera(), Quads([ground]), STILL).surface
    assert (surface[HEIGHT // 2 + 8 :] == 5).all()
    assert (surface[: HEIGHT // 2] == 0).all()


@pytest.mark.parametrize("moved", [(0.0, 0.0, 0.0), (0.3, 0.0, -0.4)])
def test_flow_leads_to_where_the_point_was(moved: tuple[float, float, float]):
    wall = Quad(texture(), (-9, -4, 2), (0, 0, 30), (0, 8, 0), label=1, layer=1, depth_z=2, surface=6, mover=0)
    quads, now, before = Quads([wall]), camera(0.2, 1.0, 0.05, 0.02), camera(-0.1, 0.4, -0.02, 0.01)
    offsets = np.array([moved, (0, 0, 0)], float)
    first, second = paint(before, quads, np.zeros((2, 3))), paint(now, quads, offsets)
    flow = backward_flow(second, offsets, first, np.zeros((2, 3)))
    checked = 0
    for z in np.linspace(9, 28, 20):
        for y in np.linspace(-3, 3, 7):
            point = np.array([-9.0, y, z])
            was, is_ = project(before, point), project(now, point + moved)
            column, row = np.round(is_).astype(int)
            if 2 <= column < WIDTH - 2 and 2 <= row < HEIGHT - 2:
                slope = np.stack(
                    (flow[row, column + 1] - flow[row, column], flow[row + 1, column] - flow[row, column]), 1
                )
                at_point = flow[row, column] + slope @ (is_ - (column, row))
                np.testing.assert_allclose(at_point, was - is_, atol=0.02)
                checked += 1
    assert checked > 40


def test_what_comes_out_from_behind_something_was_not_visible():
    quads = Quads([upright(20.0, 9.0, 1, 1), upright(10.0, 1.0, 2, 8, layer=2, mover=0)])
    offsets, offsets_before = np.array([(0.5, 0, 0), (0, 0, 0)]), np.zeros((2, 3))
    before, shot = paint(camera(), quads, offsets_before), paint(camera(), quads, offsets)
    flow = backward_flow(shot, offsets, before, offsets_before)
    visible = was_visible(shot, flow, before)
    uncovered = (before.surface == 2) & (shot.surface == 1)
    assert uncovered.sum() > 50
    assert not visible[uncovered].any()
    assert visible[~uncovered & (shot.surface > 0)].mean() > 0.99
    step = 0.85 * WIDTH * 0.5 / 10.0
    np.testing.assert_allclose(flow[shot.surface == 2], [(-step, 0)] * (shot.surface == 2).sum(), atol=1e-3)
    np.testing.assert_allclose(flow[shot.surface == 1], 0, atol=1e-3)


def test_what_was_outside_the_picture_was_not_visible():
    quads = Quads([upright(10.0, 50.0, 1, 1)])
    before, shot = paint(camera(0.0), quads, STILL), paint(camera(1.0), quads, STILL)
    flow = backward_flow(shot, STILL, before, STILL)
    visible = was_visible(shot, flow, before)
    step = round(0.85 * WIDTH / 10.0)
    assert visible[:, : WIDTH - step - 1].all()
    assert not visible[:, WIDTH - step + 1 :].any()
