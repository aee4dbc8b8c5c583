from __future__ import annotations

import torch

from vss_ray.networks.pspnet import PSPNet
from vss_ray.networks.resnet import ResNet18


def test_size():
    """ResNet-18's 11.2 M, 0.26 M of pooling and 4.7 M of head."""
    network = PSPNet(19)
    head = 4 * (512 * 128 + 2 * 128) + 9 * 1024 * 512 + 2 * 512 + 512 * 19 + 19
    serving = [p for k, p in network.named_parameters() if not k.startswith("aux.")]
    assert sum(p.numel() for p in serving) == 11_176_512 + head


def test_the_dilated_encoder_keeps_an_eighth():
    encoder = ResNet18(16, dilated=True).eval()
    with torch.inference_mode():
        features = encoder(torch.rand(1, 3, 64, 96))
    assert [tuple(f.shape[1:]) for f in features] == [(16, 16, 24), (32, 8, 12), (64, 8, 12), (128, 8, 12)]


def test_the_dilated_encoder_computes_what_the_plain_one_does_at_more_places():
    torch.manual_seed(0)
    plain, dilated = ResNet18(8).eval(), ResNet18(8, dilated=True).eval()
    dilated.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 64, 160)
    with torch.inference_mode():
        coarse, fine = plain(x)[-1], dilated(x)[-1]
    torch.testing.assert_close(fine[..., ::4, ::4], coarse)


def test_names_of_the_public_layout():
    network = PSPNet(5, width=64)
    ours = network.state_dict()
    names = {"encoder.conv1.": "layer0.0.", "encoder.bn1.": "layer0.1.", "encoder.layer": "layer"}
    theirs = {}
    for name, tensor in ours.items():
        for prefix, public in names.items():
            if name.startswith(prefix):
                name = public + name.removeprefix(prefix)
        theirs[name] = tensor
    assert {"layer0.0.weight", "layer4.1.bn2.bias", "ppm.features.3.1.weight", "cls.4.bias", "aux.0.weight"} <= set(
        theirs
    )
    assert PSPNet.convert(theirs).keys() == ours.keys()
    assert PSPNet.convert(ours).keys() == ours.keys()
