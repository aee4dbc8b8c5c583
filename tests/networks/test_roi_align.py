from __future__ import annotations

import torch

from vss_ray.networks.roi_align import roi_align


def ramp(height: int, width: int) -> torch.Tensor:
    """Every cell holds the pixel coordinates of its middle, columns and rows, at stride 16."""
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return 16 * torch.stack([columns, rows])[None]


def test_bins_are_where_the_box_is():
    pooled = roi_align(ramp(10, 12), torch.tensor([[20.0, 40.0, 84.0, 72.0]]), 4, 16)
    assert pooled.shape == (1, 2, 4, 4)
    torch.testing.assert_close(pooled[0, 0, 2], torch.tensor([28.0, 44.0, 60.0, 76.0]))
    torch.testing.assert_close(pooled[0, 1, :, 0], torch.tensor([44.0, 52.0, 60.0, 68.0]))


def test_every_picture_has_its_box():
    boxes = torch.tensor([[20.0, 40.0, 84.0, 72.0], [30.0, 30.0, 70.0, 90.0]])
    together = roi_align(ramp(10, 12).expand(2, -1, -1, -1), boxes, 4, 16)
    for number in range(2):
        alone = roi_align(ramp(10, 12), boxes[number : number + 1], 4, 16)
        torch.testing.assert_close(together[number : number + 1], alone)


def test_outside_is_what_the_rim_is():
    pooled = roi_align(ramp(4, 4), torch.tensor([[-100.0, -100.0, -50.0, -50.0]]), 2, 16)
    torch.testing.assert_close(pooled, torch.full((1, 2, 2, 2), 8.0))


def test_boxes_learn():
    boxes = torch.tensor([[20.0, 40.0, 84.0, 72.0]], requires_grad=True)
    roi_align(ramp(10, 12), boxes, 4, 16).sum().backward()
    assert boxes.grad is not None
    assert boxes.grad.isfinite().all()
