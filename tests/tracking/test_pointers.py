"""The file of --init: what it may say, and what is said of what it may not."""

from __future__ import annotations

import pytest

from vss_ray.errors import ConfigError
from vss_ray.tracking import pointers


def write(tmp_path, text):
    path = tmp_path / "init.yaml"
    path.write_text(text)
    return path


def test_entries_of_all_kinds(tmp_path):
    path = write(
        tmp_path,
        """objects:
  - {id: 1, video: day/drive.mp4, at: 12.4, mask: masks/car.png, value: 2}
  - {id: 1, video: day/drive.mp4, at: 20, box: [310, 120, 402.5, 190]}
  - {id: 2, video: drive-0000beef, at: 0, largest: car}
""",
    )
    mask, box, largest = pointers.read(path)
    assert (mask.mask, mask.value) == (tmp_path / "masks/car.png", 2)
    assert box.box == (310, 120, 402.5, 190)
    assert (largest.id, largest.largest) == (2, "car")
    assert str(box) == "object 1 of day/drive.mp4 at 20 s"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{id: 1, video: a, at: 0}", "entry 1: got none of mask, box and largest, wanted one"),
        ("{id: 1, video: a, at: 0, box: [0, 0, 1, 1], largest: car}", "got box and largest of mask, box and largest"),
        ("{id: 0, video: a, at: 0, largest: car}", "entry 1, id: Input should be greater than or equal to 1"),
        ("{id: 1001, video: a, at: 0, largest: car}", "less than or equal to 1000"),
        ("{id: 1, video: a, at: -1, largest: car}", "entry 1, at: Input should be greater than or equal to 0"),
        ("{id: 1, video: a, at: .inf, largest: car}", "entry 1, at: Input should be a finite number"),
        ("{id: 1, video: a, at: 0, box: [5, 0, 1, 1]}", "wanted left < right and top < bottom"),
        ("{id: 1, video: a, at: 0, box: [5, 0, 1]}", "entry 1, box"),
        ("{id: 1, video: a, at: 0, largest: car, value: 3}", "value says where in a mask, and there is none"),
        ("{id: 1, video: a, at: 0, largest: car, colour: red}", "entry 1, colour: Unexpected keyword argument"),
        ("just a text", "entry 1"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(tmp_path, entry, message):
    with pytest.raises(ConfigError, match=r"--init .*init\.yaml") as caught:
        pointers.read(write(tmp_path, f"objects:\n  - {entry}\n"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "objects: {}", "[]", "objects: []", "objects:\n  - {}\nmore: 1", "a: &x [*x]", "\x00"]
)
def test_other_files_are_refused(tmp_path, text):
    with pytest.raises(ConfigError, match="--init"):
        pointers.read(write(tmp_path, text))
    with pytest.raises(ConfigError, match="No such file or directory; give a YAML file"):
        pointers.read(tmp_path / "none.yaml")


def test_one_object_twice_on_a_moment_is_refused(tmp_path):
    entry = "  - {id: 1, video: a, at: 2, largest: car}\n"
    with pytest.raises(ConfigError, match="object 1 of a at 2 s stands twice"):
        pointers.read(write(tmp_path, f"objects:\n{entry}{entry}"))
