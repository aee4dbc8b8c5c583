from __future__ import annotations

import pytest
import torch

from vss_ray.networks import stored
from vss_ray.networks.rts import PUBLISHED, Config, Rts
from vss_ray.networks.rts_features import LabelEncoder, conditioned, instance_norm

BUDGET = 5_000_000
"""Bytes that the network may take of the package."""


def network(config: Config = Config()) -> Rts:
    torch.manual_seed(0)
    return Rts(config).eval().requires_grad_(False)


def test_shapes_of_the_reduced_network():
    rts = network()
    features = rts.features(torch.randn(1, 3, 96, 160))
    assert [level.shape[1:] for level in features.reduced] == [(24, 24, 40), (32, 12, 20), (48, 6, 10)]
    assert features.mask.shape == (1, 64, 12, 20)
    assert features.instance.shape == (1, 64, 6, 10)
    labels, importance = rts.label_encoder(torch.rand(2, 1, 96, 160))
    assert labels.shape == importance.shape == (2, 16, 12, 20)
    boxes = torch.tensor([[[20.0, 20.0, 60.0, 60.0]], [[80.0, 10.0, 120.0, 70.0]]])
    instance = rts.first_instance_model(features.instance.expand(2, 1, -1, -1, -1), boxes)
    assert instance.shape == (2, 1, 64, 4, 4)
    scores = rts.score(instance, features.instance)
    assert scores.shape == (2, 1, 7, 11)
    assert rts.segment(rts.first_mask_model(2), features, scores).shape == (2, 1, 48, 80)


def test_shapes_of_the_published_network():
    with torch.device("meta"):
        rts = Rts(PUBLISHED)
    rts.to_empty(device="cpu").eval()
    with torch.inference_mode():
        features = rts.features(torch.zeros(1, 3, 96, 160))
        assert [level.shape[1:] for level in features.reduced] == [
            (64, 24, 40),
            (128, 12, 20),
            (128, 6, 10),
            (256, 3, 5),
        ]
        assert features.mask.shape == (1, 512, 6, 10)
        assert features.instance.shape == (1, 512, 3, 5)
        labels, _ = rts.label_encoder(torch.zeros(1, 1, 96, 160))
        assert labels.shape == (1, 16, 6, 10)
        scores = rts.score(torch.zeros(1, 1, 512, 4, 4), features.instance)
        assert scores.shape == (1, 1, 4, 6)
        assert rts.first_mask_model(1).numel() == 73_728
        assert rts.segment(rts.first_mask_model(1), features, scores).shape == (1, 1, 48, 80)


def test_the_reduced_network_fits_its_budget(tmp_path):
    path = tmp_path / "rts.safetensors"
    stored.save(network(), path, {})
    assert path.stat().st_size < BUDGET


def test_objects_of_one_picture_get_what_each_gets_alone():
    rts = network()
    features = rts.features(torch.randn(1, 3, 64, 96))
    models, instances = torch.randn(3, 16, 64, 3, 3), torch.randn(3, 1, 64, 4, 4)
    together = rts.segment(models, features, rts.score(instances, features.instance))
    for number in range(3):
        own = slice(number, number + 1)
        alone = rts.segment(models[own], features, rts.score(instances[own], features.instance))
        torch.testing.assert_close(together[own], alone, rtol=1e-4, atol=1e-5)


def test_everything_counts_before_the_label_encoder_has_learned():
    _, importance = LabelEncoder((8, 32), 16)(torch.rand(1, 1, 32, 32))
    assert torch.equal(importance, torch.ones_like(importance))


def test_features_of_any_size_are_normalized():
    loud, quiet = 100 * torch.randn(1, 64, 5, 5), 0.01 * torch.randn(1, 64, 5, 5)
    for features in (loud, quiet):
        torch.testing.assert_close(instance_norm(features).square().mean(), torch.tensor(1 / 576), rtol=1e-3, atol=0)


def test_scores_are_added_where_they_are():
    scores = torch.zeros(1, 1, 7, 11)
    scores[..., 3, 5] = 1  # pixel (48, 80) of 96 x 160
    added = conditioned(torch.zeros(1, 1, 12, 20), scores)
    rows, columns = torch.arange(12) * 8 + 4.0, torch.arange(20) * 8 + 4.0
    middle = ((added[0, 0].sum(1) * rows).sum() / added.sum(), (added[0, 0].sum(0) * columns).sum() / added.sum())
    torch.testing.assert_close(torch.stack(middle), torch.tensor([48.0, 80.0]), atol=0.5, rtol=0)


def test_refusals():
    with pytest.raises(ValueError, match="label_widths of stride 16 and 3 decoder_widths; wanted stride 8"):
        Config(label_widths=(8, 16, 32))
