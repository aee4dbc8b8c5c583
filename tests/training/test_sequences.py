"""Sequences to train on: images and labels stay together, and the seed decides everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vss_ray.datasets import camvid
from vss_ray.errors import StorageError, VideoError
from vss_ray.media.write import write_video
from vss_ray.networks.pixels import IMAGENET_MEAN, IMAGENET_STD
from vss_ray.training import augment, mixture, moving_stills, sequences
from vss_ray.training.rendered import stretch

PLAIN: dict[str, Any] = {"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0, "blur": 0}
SMALL = sequences.Config(augment=augment.Config(crop=64, scale=(1.0, 2.0), **PLAIN), distances=(1, 2))
HEIGHT, WIDTH = 96, 128


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stills whose gray is 20 times their label."""
    root = tmp_path_factory.mktemp("camvid")
    rng = np.random.default_rng(0)
    for name in ("train", "trainannot"):
        (root / name).mkdir()
    for i in range(3):
        ids = np.kron(rng.integers(0, 12, (3, 4)), np.ones((32, 32), int)).astype(np.uint8)
        cv2.imwrite(str(root / "train" / f"{i}.png"), np.repeat(ids[..., None] * np.uint8(20), 3, 2))
        cv2.imwrite(str(root / "trainannot" / f"{i}.png"), ids)
    return root


@pytest.fixture(scope="module")
def stills(data: Path) -> sequences.Stills:
    return sequences.Stills(camvid.stills(data, "train"), moving_stills.Config(exposure=0, noise=0))


def assert_together(images: Any, labels: Any, rim: int = 3) -> None:
    """The gray of an image is 20 times its label, but near borders."""
    around = np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)
    for image, ids in zip(images, labels, strict=True):
        inner = (cv2.erode(ids, around) == cv2.dilate(ids, around)) & (ids != 255)
        inner[[*range(rim), *range(-rim, 0)]] = inner[:, [*range(rim), *range(-rim, 0)]] = False
        assert inner.mean() > 0.1
        wrong = np.abs(image[inner].astype(int).mean(1) - 20.0 * ids[inner]) > 4
        assert wrong.mean() < 0.02


@pytest.mark.parametrize("seed", range(8))
def test_moving_stills_keep_labels_on_their_pixels(stills, seed):
    images, labels = stills.sample(4, 1 + seed % 3, np.random.default_rng(seed))
    assert (images.shape, labels.shape) == ((4, HEIGHT, WIDTH, 3), (4, HEIGHT, WIDTH))
    assert images.dtype == labels.dtype == np.uint8
    assert_together(images, labels)


def test_developing_changes_every_frame_a_little(data):
    still = sequences.Stills(camvid.stills(data, "train"), moving_stills.Config(movers=0, exposure=0.05, noise=4))
    plain = sequences.Stills(camvid.stills(data, "train"), moving_stills.Config(movers=0, exposure=0, noise=0))
    (images, labels), (clean, same) = (source.sample(5, 1, np.random.default_rng(1)) for source in (still, plain))
    np.testing.assert_array_equal(labels, same)
    differences = np.abs(images.astype(int) - clean).mean((1, 2, 3))
    assert (differences > 0.5).all()
    assert (differences < 20).all()


def test_a_sequence_of_one_frame(stills):
    images, labels = stills.sample(1, 3, np.random.default_rng(0))
    assert (images.shape, labels.shape) == ((1, HEIGHT, WIDTH, 3), (1, HEIGHT, WIDTH))


@pytest.fixture(scope="module")
def scenes() -> sequences.Scenes:
    return sequences.Scenes(2, 7, height=48, width=64)


def test_scenes_are_taken_with_the_step(scenes):
    whole, _ = scenes.sample(7, 1, np.random.default_rng(0))
    known = {frame.tobytes(): number for number, frame in enumerate(whole)}
    found = 0
    for seed in range(5):
        images, labels = scenes.sample(3, 2, np.random.default_rng(seed))
        assert (images.shape, labels.shape) == ((3, 48, 64, 3), (3, 48, 64))
        places = [known[image.tobytes()] for image in images if image.tobytes() in known]
        assert np.diff(places).tolist() in ([2, 2], [])  # of the other street none is known
        found += len(places)
    assert found


@pytest.mark.parametrize(
    ("count", "length", "step", "apart"), [(10, 4, 2, 2), (10, 4, 9, 3), (10, 1, 5, 0), (3, 5, 1, 0), (1, 2, 1, 0)]
)
def test_a_stretch_fits(count, length, step, apart):
    for seed in range(10):
        taken = stretch(count, length, step, np.random.default_rng(seed))
        assert len(taken) == length
        assert taken.min() >= 0
        assert taken.max() < count
        if length > 1:
            assert (np.diff(taken) == apart).all()


def numbered(i: int, height: int = 144, width: int = 192) -> Any:
    return np.full((height, width, 3), 4 * i + 20, np.uint8)


def label(images: Any) -> Any:
    """A teacher that reads what ``numbered`` wrote."""
    return np.rint((images[..., 0].astype(float) - 20) / 4).astype(np.uint8)


def test_videos_are_reduced_and_labelled(tmp_path):
    path = tmp_path / "drive.mkv"
    write_video(path, (numbered(i) for i in range(40)), fps=30, codec="ffv1", pix_fmt="bgr0")
    videos = sequences.Videos([path], label, short_side=72)
    for step in (1, 2):
        images, labels = videos.sample(5, step, np.random.default_rng(step))
        assert (images.shape, labels.shape) == ((5, 72, 96, 3), (5, 72, 96))
        np.testing.assert_array_equal(labels, label(images))
        assert np.diff(labels[:, 0, 0]).tolist() == [2 * step] * 4  # 30 Hz: two frames are one of 15 Hz


def test_rates_between_are_rounded_either_way(tmp_path):
    path = tmp_path / "drive.mkv"
    write_video(path, (numbered(i) for i in range(40)), fps=25, codec="ffv1", pix_fmt="bgr0")
    videos = sequences.Videos([path], label, short_side=72)
    apart = {int(np.diff(videos.sample(2, 1, np.random.default_rng(i))[1][:, 0, 0])[0]) for i in range(30)}
    assert apart == {1, 2}


def test_no_sequence_crosses_a_cut(tmp_path):
    path = tmp_path / "cuts.mkv"
    frames = [numbered(i // 10 * 20 + i % 10) for i in range(30)]
    write_video(path, frames, fps=15, codec="ffv1", pix_fmt="bgr0")
    videos = sequences.Videos([tmp_path], label, short_side=72)
    for seed in range(20):
        levels = videos.sample(4, 1, np.random.default_rng(seed))[1][:, 0, 0].astype(int)
        assert len({*(levels // 20)}) == 1


def test_videos_that_are_none(tmp_path):
    with pytest.raises(StorageError, match="nowhere"):
        sequences.Videos([tmp_path / "nowhere"], label)
    with pytest.raises(VideoError, match="holds no video"):
        sequences.Videos([tmp_path], label)
    with pytest.raises(VideoError, match="no footage to learn from"):
        sequences.Videos([], label)


def taken(sources: Any, config: sequences.Config = SMALL, epoch: int = 0, **options: Any) -> Any:
    given = {"length": 3, "batch": 2, "steps": 3, "seed": 5, **options}
    return [*sequences.batches(sources, config, epoch=epoch, device="cpu", **given)]


def test_batches(stills, scenes):
    made = taken([(stills, 0.5), (scenes, 0.5)])
    assert len(made) == 3
    for images, labels in made:
        assert (images.shape, images.dtype) == ((2, 3, 3, 64, 64), torch.float32)
        assert (labels.shape, labels.dtype) == ((2, 3, 64, 64), torch.int64)
        pixels = (images.permute(0, 1, 3, 4, 2) * torch.tensor(IMAGENET_STD) + torch.tensor(IMAGENET_MEAN)).round()
        assert pixels.min() >= 0
        assert pixels.max() <= 255


def test_in_a_batch_labels_are_still_on_their_pixels(stills):
    for images, labels in taken([(stills, 1.0)]):
        pixels = images.permute(0, 1, 3, 4, 2) * torch.tensor(IMAGENET_STD) + torch.tensor(IMAGENET_MEAN)
        for sequence, ids in zip(pixels.round().numpy(), labels.numpy().astype(np.uint8), strict=True):
            assert_together(sequence, ids, rim=6)  # what is enlarged has wider rims


def test_seed_and_epoch_decide(stills, scenes):
    sources = [(stills, 2.0), (scenes, 1.0)]
    one, two = taken(sources), taken(sources)
    for (ours, ids), (theirs, same) in zip(one, two, strict=True):
        assert torch.equal(ours, theirs)
        assert torch.equal(ids, same)
    assert not torch.equal(one[0][0], taken(sources, epoch=1)[0][0])
    assert not torch.equal(one[0][0], taken(sources, seed=6)[0][0])


class Counting:
    """Frames that are their number: 10, 10 + step, ..."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def sample(self, length: int, step: int, rng: np.random.Generator) -> Any:
        self.asked.append((length, step))
        labels = np.stack([np.full((64, 64), 10 + i * step, np.uint8) for i in range(length)])
        return np.repeat(labels[..., None], 3, 3), labels


def test_distances_and_directions():
    for reverse in (True, False):
        source = Counting()
        config = sequences.Config(augment=SMALL.augment, distances=(1, 3), reverse=reverse)
        made = taken([(source, 1.0)], config, steps=20)
        assert {*source.asked} == {(3, 1), (3, 3)}
        steps = {tuple(np.diff(ids[:, 0, 0]).tolist()) for _, labels in made for ids in labels.numpy()}
        forward = {(1, 1), (3, 3)}
        assert steps == (forward | {(-1, -1), (-3, -3)} if reverse else forward)


def test_shares_are_kept():
    one, two, never = Counting(), Counting(), Counting()
    taken([(one, 3.0), (two, 1.0), (never, 0.0)], steps=40, batch=4)
    assert 0.6 < len(one.asked) / 160 < 0.9
    assert len(one.asked) + len(two.asked) == 160
    assert not never.asked


def test_breaking_off_in_the_middle_ends_the_thread():
    made = sequences.batches([(Counting(), 1.0)], SMALL, length=2, batch=2, steps=50, seed=0, epoch=0, device="cpu")
    next(made)
    made.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(made)


class Faulty:
    def sample(self, length: int, step: int, rng: np.random.Generator) -> Any:
        raise VideoError("this one is broken")


def test_what_goes_wrong_in_the_thread_comes_out():
    with pytest.raises(VideoError, match="this one is broken"):
        taken([(Faulty(), 1.0)])


def test_a_mixture(data, tmp_path):
    footage = tmp_path / "drive.mkv"
    write_video(footage, (numbered(i) for i in range(6)), fps=15, codec="ffv1", pix_fmt="bgr0")
    network = torch.nn.Conv2d(3, 4, 1)
    config = mixture.Config(num_scenes=1, teacher=mixture.teacher.Config(short_sides=(64,)))
    found = mixture.sources(data, [footage], network, config, cache=tmp_path / "cache")
    assert [(type(source).__name__, share) for source, share in found] == [
        ("Stills", 0.7), ("Scenes", 0.15), ("Videos", 0.15),
    ]  # fmt: skip
    assert len([*(tmp_path / "cache").iterdir()]) == 1
    without = mixture.sources(data, [], network, mixture.Config(scenes=0), cache=tmp_path / "cache")
    assert [type(source).__name__ for source, _ in without] == ["Stills"]
