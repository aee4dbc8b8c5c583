"""Losses against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from vss_ray.training.losses import class_weights, distillation_kl, lovasz_softmax, upsampled_cross_entropy

SURE = 200.0
"""A logit beside which all others are nothing."""


def problem(num_classes, seed, size=(3, 4), batch=2):
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 2, (batch, num_classes, *size))).float()
    labels = rng.integers(0, num_classes, (batch, *size))
    labels[rng.random(labels.shape) < 0.2] = 255
    return logits, torch.from_numpy(labels)


def lovasz_by_definition(logits, labels):
    """Equation 11: errors in descending order, each times what its pixel adds to the Jaccard loss of those before."""
    probabilities = logits.softmax(1).permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).double().numpy()
    truth = labels.reshape(-1).numpy()
    probabilities, truth = probabilities[truth != 255], truth[truth != 255]
    losses = []
    for c in sorted(set(truth.tolist())):
        is_class = truth == c
        errors = np.where(is_class, 1 - probabilities[:, c], probabilities[:, c])
        mistaken: set[int] = set()
        loss, before = 0.0, 0.0
        for pixel in np.argsort(-errors, kind="stable"):
            mistaken.add(int(pixel))
            jaccard = len(mistaken) / len(mistaken | set(np.flatnonzero(is_class).tolist()))
            loss += errors[pixel] * (jaccard - before)
            before = jaccard
        losses.append(loss)
    return np.mean(losses) if losses else 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.integers(0, 999))
def test_lovasz_is_its_definition(num_classes, seed):
    logits, labels = problem(num_classes, seed)
    assert lovasz_softmax(logits, labels).item() == pytest.approx(lovasz_by_definition(logits, labels), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(0, 999))
def test_lovasz_of_a_sure_answer_is_the_jaccard_loss(num_classes, seed):
    logits, labels = problem(num_classes, seed)
    answer = logits.argmax(1)
    sure = F.one_hot(answer, num_classes).permute(0, 3, 1, 2) * SURE
    scored = labels != 255
    ious = [
        ((answer == c) & (labels == c) & scored).sum() / (((answer == c) | (labels == c)) & scored).sum()
        for c in labels[scored].unique()
    ]
    wanted = 1 - np.mean(ious) if ious else 0.0
    assert lovasz_softmax(sure, labels).item() == pytest.approx(wanted, abs=1e-5)


def test_a_perfect_answer_costs_nothing():
    _, labels = problem(4, 0)
    perfect = F.one_hot(labels.clamp(max=3), 4).permute(0, 3, 1, 2) * SURE
    assert lovasz_softmax(perfect, labels).item() == pytest.approx(0, abs=1e-6)
    assert upsampled_cross_entropy(perfect, labels).item() == pytest.approx(0, abs=1e-6)


def test_lovasz_of_nothing_to_score_is_zero_and_can_be_descended():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = lovasz_softmax(logits, torch.full((1, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_lovasz_samples_labels_to_the_size_of_the_logits():
    logits, labels = problem(3, 1)
    large = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)
    assert lovasz_softmax(logits, large).item() == pytest.approx(lovasz_softmax(logits, labels).item())


@pytest.mark.parametrize("loss", [lovasz_softmax, upsampled_cross_entropy])
def test_descending_leads_to_the_truth(loss):
    logits, labels = problem(3, 2)
    logits.requires_grad_()
    optimizer = torch.optim.Adam([logits], 0.3)
    for _ in range(150):
        optimizer.zero_grad()
        loss(logits, labels).backward()
        optimizer.step()
    scored = labels != 255
    assert torch.equal(logits.argmax(1)[scored], labels[scored])


@pytest.mark.parametrize("loss", [lovasz_softmax, upsampled_cross_entropy])
def test_void_counts_for_nothing(loss):
    logits, labels = problem(3, 3)
    changed = torch.where((labels == 255)[:, None], torch.randn_like(logits) * 9, logits)
    assert loss(changed, labels).item() == pytest.approx(loss(logits, labels).item(), rel=1e-6)


def test_cross_entropy_is_taken_at_the_size_of_the_labels():
    logits, _ = problem(3, 4)
    labels = torch.randint(0, 3, (2, 12, 16))
    enlarged = F.interpolate(logits, (12, 16), mode="bilinear", align_corners=False)
    weights = torch.tensor([1.0, 2.0, 0.5])
    wanted = F.cross_entropy(enlarged, labels, weights)
    assert upsampled_cross_entropy(logits, labels, weights).item() == pytest.approx(wanted.item())


def test_losses_are_taken_in_full_precision():
    logits, labels = problem(3, 5)
    for loss in (lovasz_softmax, upsampled_cross_entropy):
        assert loss(logits.bfloat16(), labels).dtype == torch.float32


def test_weights_have_mean_one_over_pixels():
    pixels = np.array([1000, 400, 250])
    weights = class_weights(pixels).numpy()
    assert (weights * pixels).sum() / pixels.sum() == pytest.approx(1)
    np.testing.assert_allclose(weights / weights[0], np.sqrt(pixels[0] / pixels), rtol=1e-6)


def test_weights_of_rare_and_missing_classes_are_cut():
    weights = class_weights(np.array([10**6, 10, 0]), limit=4.0)
    assert weights.tolist()[1:] == [4.0, 4.0]
    assert weights.dtype == torch.float32
    np.testing.assert_allclose(class_weights(np.array([7, 5, 3]), power=0.0), 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 999), st.floats(0.5, 5))
def test_distillation_is_torchs_divergence(num_classes, seed, temperature):
    student, teacher = problem(num_classes, seed)[0], problem(num_classes, seed + 1)[0]
    wanted = F.kl_div(
        (student / temperature).log_softmax(1),
        (teacher / temperature).log_softmax(1),
        reduction="none",
        log_target=True,
    )
    got = distillation_kl(student, teacher, temperature=temperature)
    assert got.item() == pytest.approx(wanted.sum(1).mean().item() * temperature**2, rel=1e-4, abs=1e-6)


def test_distillation_counts_what_the_mask_says():
    student, teacher = problem(4, 0)[0], problem(4, 1)[0]
    mask = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.4
    pixels = [tensor.permute(0, 2, 3, 1)[mask].T[None, :, :, None] for tensor in (student, teacher)]
    assert distillation_kl(student, teacher, mask).item() == pytest.approx(distillation_kl(*pixels).item(), rel=1e-5)
    assert distillation_kl(student, teacher, torch.zeros_like(mask)).item() == 0


def test_distillation_teaches_the_student_alone():
    student, teacher = (problem(4, seed)[0].requires_grad_() for seed in (0, 1))
    value = distillation_kl(student, teacher)
    assert value.item() > 0
    value.backward()
    assert teacher.grad is None
    # The gradient of the divergence: what is said less what is wanted.
    wanted = (student.softmax(1) - teacher.softmax(1)).detach() / (2 * 3 * 4)
    torch.testing.assert_close(student.grad, wanted)
    assert distillation_kl(teacher, teacher).item() == pytest.approx(0, abs=1e-6)
