"""Losses of a tracker against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vss_ray.training.losses import lovasz_softmax
from vss_ray.training.object_losses import lb_hinge, lovasz_foreground

SIZE = (2, 4, 5)


def problem(seed: int, share: float = 0.4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    masks = (rng.random(SIZE) < share).astype(np.int64)
    masks[rng.random(SIZE) < 0.15] = 255
    return torch.from_numpy(rng.random(SIZE)).float(), torch.from_numpy(masks)


def lovasz_by_definition(probabilities, masks) -> float:
    """Errors of the batch in descending order, each times what its pixel adds to the Jaccard loss of those before."""
    scored = masks.numpy().ravel() != 255
    chance, inside = probabilities.double().numpy().ravel()[scored], masks.numpy().ravel()[scored] == 1
    errors = np.where(inside, 1 - chance, chance)
    mistaken: set[int] = set()
    loss, before = 0.0, 0.0
    for pixel in np.argsort(-errors, kind="stable"):
        mistaken.add(int(pixel))
        jaccard = len(mistaken) / len(mistaken | set(np.flatnonzero(inside).tolist()))
        loss += errors[pixel] * (jaccard - before)
        before = jaccard
    return loss


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.floats(0, 1))
def test_lovasz_is_its_definition(seed, share):
    probabilities, masks = problem(seed, share)
    assert lovasz_foreground(probabilities, masks).item() == pytest.approx(
        lovasz_by_definition(probabilities, masks), abs=1e-5
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999))
def test_lovasz_of_a_sure_answer_is_one_minus_j_over_the_batch(seed):
    probabilities, masks = problem(seed)
    answer, scored = probabilities > 0.5, masks != 255
    union = ((answer | (masks == 1)) & scored).sum()
    j = (answer & (masks == 1)).sum() / union if union else 1
    assert lovasz_foreground(answer.float(), masks).item() == pytest.approx(1 - float(j), abs=1e-5)


def test_lovasz_is_the_softmax_one_of_two_classes_without_the_background():
    # Of two classes the errors of both are the same; over a mask and its inverse the mean is the two-class loss.
    probabilities, masks = problem(3)
    logits = torch.stack([torch.zeros(SIZE), torch.logit(probabilities)], 1)
    background = torch.where(masks == 255, 255, 1 - masks)
    both = (lovasz_foreground(probabilities, masks) + lovasz_foreground(1 - probabilities, background)) / 2
    assert lovasz_softmax(logits, masks).item() == pytest.approx(both.item(), rel=1e-4)


def test_without_an_object_the_largest_probability_is_the_loss():
    probabilities, _ = problem(4)
    loss = lovasz_foreground(probabilities, torch.zeros(SIZE))
    assert loss.item() == pytest.approx(probabilities.max().item())


def test_lovasz_of_nothing_to_score_is_zero_and_can_be_descended():
    probabilities = torch.rand(SIZE, requires_grad=True)
    loss = lovasz_foreground(probabilities, torch.full(SIZE, 255))
    loss.backward()
    assert loss.item() == 0
    assert probabilities.grad is not None
    assert not probabilities.grad.any()


def hinge_by_definition(scores, labels) -> float:
    values = []
    for score, label in zip(scores.ravel().tolist(), labels.ravel().tolist(), strict=True):
        values.append(max(score, 0.0) ** 2 if label < 0.05 else (score - label) ** 2)
    return float(np.mean(values))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999))
def test_the_hinge_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    scores = torch.from_numpy(rng.normal(0, 1, (2, 1, 6, 7)))
    labels = torch.from_numpy(rng.choice([0, 0.049, 0.05, 0.3, 1], (2, 1, 6, 7)))
    assert lb_hinge(scores, labels).item() == pytest.approx(hinge_by_definition(scores, labels), rel=1e-5)


def test_the_hinge_forgives_scores_below_zero_on_the_background_alone():
    labels = torch.tensor([0.0, 0.04, 0.05, 1.0])
    assert lb_hinge(torch.tensor([-9.0, -9.0, 0.05, 1.0]), labels).item() == 0
    assert lb_hinge(torch.tensor([0.0, 0.0, 0.05, 0.0]), labels).item() == pytest.approx(0.25)
    scores = torch.tensor([-1.0, 0.5, -1.0, 0.5], requires_grad=True)
    lb_hinge(scores, labels).backward()
    assert scores.grad is not None
    assert scores.grad.tolist() == pytest.approx([0, 2 * 0.5 / 4, 2 * -1.05 / 4, 2 * -0.5 / 4])


def test_losses_are_taken_in_full_precision():
    probabilities, masks = problem(5)
    assert lovasz_foreground(probabilities.bfloat16(), masks).dtype == torch.float32
    assert lb_hinge(probabilities.bfloat16(), probabilities).dtype == torch.float32


def test_descending_leads_to_the_mask():
    probabilities, masks = problem(6)
    probabilities.requires_grad_()
    lovasz_foreground(probabilities, masks).backward()
    assert probabilities.grad is not None
    assert (probabilities.grad[masks == 1] < 0).all()
    assert (probabilities.grad[masks == 0] > 0).all()
    assert (probabilities.grad[masks == 255] == 0).all()
