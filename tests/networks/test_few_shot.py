"""The descent against autograd, which derives what is written out there, and against what it promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vss_ray.networks.few_shot import (
    INSTANCE_REGULARIZATION,
    correlate,
    fit_instance,
    fit_segmentation,
    gaussian,
)

LAMBDA = 0.1


def mask_task(objects: int = 2, samples: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "model": 0.1 * normal(objects, 2, 4, 3, 3),
        "features": normal(objects, samples, 4, 5, 6),
        "encodings": normal(objects, samples, 2, 5, 6).relu(),
        "importance": 1 + 0.3 * normal(objects, samples, 2, 5, 6),
        "weights": torch.rand(objects, samples, generator=generator, dtype=torch.float64),
    }


def mask_loss(model: Tensor, task: dict[str, Tensor]) -> Tensor:
    """One number an object."""
    error = task["importance"] * (correlate(task["features"], model) - task["encodings"])
    weighed = task["weights"][:, :, None, None, None] * error
    return (weighed**2).flatten(1).sum(1) + LAMBDA**2 * (model**2).flatten(1).sum(1)


def instance_task(objects: int = 2, samples: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    centers = torch.rand(objects, samples, 2, generator=generator, dtype=torch.float64) * 5
    return {
        "model": 0.3 * torch.randn(objects, 1, 4, 4, 4, generator=generator, dtype=torch.float64),
        "features": torch.randn(objects, samples, 4, 5, 6, generator=generator, dtype=torch.float64),
        "labels": gaussian(centers, (6, 7), 0.9),
        "weights": torch.rand(objects, samples, generator=generator, dtype=torch.float64),
    }


def instance_residuals(model: Tensor, task: dict[str, Tensor]) -> Tensor:
    """Of one object, as the paper has them: a(s) = (1 - m)/2 |s| + (1 + m)/2 s."""
    labels, weights = task["labels"], task["weights"]
    m = ((labels > 0.05).double() + 0.1).clamp(max=1)
    scores = correlate(task["features"], model)
    error = (1 - m) / 2 * scores.abs() + (1 + m) / 2 * scores - m * labels
    data = weights.sqrt()[:, :, None, None, None] * error
    return torch.cat([data.flatten(), INSTANCE_REGULARIZATION * model.flatten()])


def gauss_newton(residuals: Callable[[Tensor], Tensor], model: Tensor, steps: int) -> Tensor:
    """The descent as defined, J g by differentiating twice."""
    for _ in range(steps):
        model = model.detach().requires_grad_()
        values = residuals(model)
        dummy = torch.zeros_like(values, requires_grad=True)
        (along,) = torch.autograd.grad(values, model, dummy, create_graph=True)
        (gradient,) = torch.autograd.grad(values, model, values.detach(), retain_graph=True)
        (change,) = torch.autograd.grad(along, dummy, gradient)
        model = model - gradient * gradient.square().sum() / change.square().sum()
    return model.detach()


def one(task: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    return {name: tensor[number : number + 1] for name, tensor in task.items()}


def test_segmentation_equals_autograd():
    task = one(mask_task(), 1)

    def residuals(model: Tensor) -> Tensor:
        error = task["importance"] * (correlate(task["features"], model) - task["encodings"])
        data = task["weights"][:, :, None, None, None] * error
        return torch.cat([data.flatten(), LAMBDA * model.flatten()])

    fitted = fit_segmentation(**task, regularization=LAMBDA, steps=3)
    torch.testing.assert_close(fitted, gauss_newton(residuals, task["model"], 3))


def test_instance_equals_autograd():
    task = one(instance_task(), 0)
    fitted = fit_instance(**task, steps=3)
    expected = gauss_newton(lambda model: instance_residuals(model, task), task["model"], 3)
    torch.testing.assert_close(fitted[-1], expected)
    assert len(fitted) == 4
    assert torch.equal(fitted[0], task["model"])


def test_segmentation_gets_better_with_every_step():
    task = mask_task()
    values = [mask_loss(fit_segmentation(**task, regularization=LAMBDA, steps=steps), task) for steps in range(12)]
    assert (torch.stack(values).diff(dim=0) < 0).all()


def test_instance_gets_better_with_every_step():
    task = one(instance_task(), 0)
    values = torch.stack([instance_residuals(model, task).square().sum() for model in fit_instance(**task, steps=12)])
    assert (values.diff() < 0).all()


def test_a_fit_reaches_the_least_squares():
    """Few enough numbers to solve for: the descent gets to where the normal equations say."""
    task = one(mask_task(samples=3), 0)
    flat = task["model"].numel()

    def residuals(vector: Tensor) -> Tensor:
        error = task["importance"] * (correlate(task["features"], vector.view_as(task["model"])) - task["encodings"])
        return torch.cat([(task["weights"][:, :, None, None, None] * error).flatten(), LAMBDA * vector])

    zero = torch.zeros(flat, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(residuals, zero, vectorize=True)
    exact = torch.linalg.lstsq(jacobian, -residuals(zero)[:, None]).solution[:, 0]  # type: ignore[index]
    fitted = fit_segmentation(**task, regularization=LAMBDA, steps=200)
    torch.testing.assert_close(fitted.flatten(), exact, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("number", [0, 1])
def test_objects_know_nothing_of_each_other(number):
    masks, instances = mask_task(), instance_task()
    masks["encodings"][1 - number] *= 100
    instances["features"][1 - number] *= 100
    together = fit_segmentation(**masks, regularization=LAMBDA, steps=4)
    alone = fit_segmentation(**one(masks, number), regularization=LAMBDA, steps=4)
    torch.testing.assert_close(together[number : number + 1], alone)
    together = fit_instance(**instances, steps=4)[-1]
    torch.testing.assert_close(together[number : number + 1], fit_instance(**one(instances, number), steps=4)[-1])


def test_a_sample_of_weight_zero_is_none():
    task = mask_task()
    task["weights"][:, 1] = 0
    fewer = {name: tensor if name == "model" else tensor[:, [0, 2]] for name, tensor in task.items()}
    fitted = [fit_segmentation(**each, regularization=LAMBDA, steps=3) for each in (task, fewer)]
    torch.testing.assert_close(*fitted)


def test_learning_reaches_through_a_fit():
    """Training: what a fit leads to has a gradient in all that it began with, and it is the right one."""
    task = {name: tensor.requires_grad_() for name, tensor in one(mask_task(samples=2), 0).items()}
    regularization = torch.tensor([LAMBDA], dtype=torch.float64, requires_grad=True)

    def fitted(*inputs: Tensor) -> Tensor:
        return fit_segmentation(*inputs, steps=2)

    inputs = (*task.values(), regularization)
    assert torch.autograd.gradcheck(fitted, inputs, fast_mode=True)
    instances = one(instance_task(samples=2), 0)
    model, features = instances["model"].requires_grad_(), instances["features"].requires_grad_()

    def fitted_instance(model: Tensor, features: Tensor) -> Tensor:
        return fit_instance(model, features, instances["labels"], instances["weights"], 2)[-1]

    assert torch.autograd.gradcheck(fitted_instance, (model, features), fast_mode=True)


def test_inference_mode_gives_the_same():
    task = mask_task()
    with torch.inference_mode():
        fitted = fit_segmentation(**task, regularization=LAMBDA, steps=3)
    assert torch.equal(fitted, fit_segmentation(**task, regularization=LAMBDA, steps=3))


def test_an_even_filter_sees_between_cells():
    """Score (i, j) of a filter of side 4 belongs to the corner above and to the left of cell (i, j)."""
    features = torch.zeros(1, 1, 1, 6, 6)
    features[..., 2:4, 2:4] = 1  # around the corner (3, 3)
    model = torch.zeros(1, 1, 1, 4, 4)
    model[..., 1:3, 1:3] = 1
    scores = correlate(features, model)
    assert scores.shape == (1, 1, 1, 7, 7)
    assert scores.argmax() == 3 * 7 + 3


def test_a_label_peaks_at_its_center():
    label = gaussian(torch.tensor([[2.0, 5.0]]), (6, 8), 1.0)
    assert label.shape == (1, 1, 6, 8)
    assert label[0, 0, 2, 5] == 1
    torch.testing.assert_close(label[0, 0, 3, 5], torch.tensor(-0.5).exp())
