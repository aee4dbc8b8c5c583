"""YouTube-VOS (Xu et al., 2018), both versions: objects that may appear in the middle of a video.

``<split>/JPEGImages/<video>/*.jpg`` are the frames, ``<split>/Annotations/<video>/*.png`` the masks, whose indices are
the objects, and ``<split>/meta.json`` says from which frame on each is there and its class. Names count the frames of a
video of 30 a second; there is a picture and a mask for every fifth. ``<split>_all_frames`` has the pictures between and
takes masks and ``meta.json`` from its split, unless it has its own. Of ``valid`` and ``test`` only the first mask of
each object is public.
"""

from __future__ import annotations

from pathlib import Path

from vss_ray.datasets.mask_files import MaskFiles, read_ids
from vss_ray.datasets.sequences import pictures_in
from vss_ray.datasets.tracked import TrackedObject
from vss_ray.documents import read_json
from vss_ray.errors import ConfigError, DataError

RATE = 30.0
"""Of the numbers in the names."""
SPLITS = ("train", "valid", "test")
DENSE = "_all_frames"
META, IMAGES, MASKS = "meta.json", "JPEGImages", "Annotations"
Objects = dict[int, tuple[str, str]]
"""Object -> name of its first frame, and its class."""


def sequences(root: Path, split: str) -> list[MaskFiles]:
    """One for every video of ``meta.json``, in order of name.

    Raises:
        ConfigError: No such split.
        DataError: ``meta.json`` is missing or says something else, or a picture or mask that it names is missing.
    """
    base = split.removesuffix(DENSE)
    if base not in SPLITS:
        raise ConfigError(f"youtube_vos has no split {split!r}; there is {', '.join(SPLITS)}, each with {DENSE} or not")
    labeled = root / (split if (root / split / META).is_file() else base)
    videos = _objects(labeled / META)
    return [_video(root / split, labeled, name, videos[name], base != "train") for name in sorted(videos)]


def seen_categories(root: Path) -> set[str]:
    """Classes of the training videos: those that G calls seen.

    Raises:
        DataError: ``train/meta.json`` is missing or says something else.
    """
    videos = _objects(root / "train" / META)
    return {category for objects in videos.values() for _, category in objects.values()}


def _video(folder: Path, labeled: Path, name: str, objects: Objects, withheld: bool) -> MaskFiles:
    images = pictures_in(folder / IMAGES / name)
    places = {path.stem: number for number, path in enumerate(images)}
    masks = [labeled / MASKS / name / f"{path.stem}.png" for path in images]
    for each, (first, _) in objects.items():
        if first not in places:
            raise DataError(f"{labeled / META}: object {each} of {name} begins on {first}; wanted a picture of it")
        if not masks[places[first]].exists():
            raise DataError(f"{images[places[first]]} has no mask; wanted {masks[places[first]]}")
    return MaskFiles(
        name=name,
        rate=RATE / _step(images),
        objects={each: TrackedObject(places[first], category) for each, (first, category) in sorted(objects.items())},
        images=tuple(images),
        masks=tuple(path if path.exists() else None for path in masks),
        read_ids=read_ids,
        withheld=withheld,
    )


def _objects(path: Path) -> dict[str, Objects]:
    """Video -> its objects."""
    try:
        return {
            name: {int(each): (entry["frames"][0], entry["category"]) for each, entry in video["objects"].items()}
            for name, video in read_json(path.read_text())["videos"].items()
        }
    except OSError as error:
        raise DataError(f"{path} is missing; wanted YouTube-VOS (<split>/{META}, {IMAGES}/ and {MASKS}/)") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not the list of YouTube-VOS ({error!r}); wanted frames and category of the objects of videos"
        ) from error


def _step(images: list[Path]) -> int:
    """Frames from a picture to the next one; names that are no numbers count as neighbors."""
    numbers = [int(path.stem) for path in images[:2] if path.stem.isdecimal()]
    return max(numbers[1] - numbers[0], 1) if len(numbers) == 2 else 1
