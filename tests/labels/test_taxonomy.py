"""Classes by name, and files of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from vss_ray.errors import ConfigError
from vss_ray.labels.taxonomy import Taxonomy, load, voc_color

FILES = sorted(path.stem for path in (Path(__file__).parents[2] / "vss_ray/labels").glob("*.yaml"))


def numbered(num_classes: int) -> Taxonomy:
    return Taxonomy.from_dict({"name": "numbered", "classes": [{"name": f"class {i}"} for i in range(num_classes)]})


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_package(name):
    taxonomy = load(name)
    assert taxonomy.name == name
    assert len(taxonomy) == len(set(taxonomy.classes)) > 1
    assert Taxonomy.from_dict(taxonomy.to_dict()) == taxonomy
    everything = [*taxonomy.classes, *(alias for aliases in taxonomy.aliases for alias in aliases)]
    plain = [text.lower().replace("_", " ").replace("-", " ") for text in everything]
    assert len(plain) == len(set(plain)), "a name that means two classes"
    for i, (cls, aliases) in enumerate(zip(taxonomy.classes, taxonomy.aliases, strict=True)):
        assert all(taxonomy.index(text) == i for text in (cls, *aliases))
    for color in taxonomy.colors:
        assert len(color) == 3
        assert all(0 <= part <= 255 for part in color)


def test_camvid_is_in_the_order_of_its_files():
    taxonomy = load("camvid")
    assert taxonomy.classes == (
        "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
    )  # fmt: skip
    assert taxonomy.colors[3] == (128, 64, 128)


@pytest.mark.parametrize("text", ["bicyclist", "Bicyclist", " BICYCLIST ", "rider", "Cyclist"])
def test_case_and_synonyms(text):
    assert load("camvid").index(text) == 10


@pytest.mark.parametrize("text", ["traffic sign", "Traffic-Sign", "traffic_sign"])
def test_separators(text):
    assert load("camvid").index(text) == 6


def test_near_names_are_named():
    with pytest.raises(KeyError, match="no class 'pedestrain' in camvid; did you mean pedestrian"):
        load("camvid").index("pedestrain")
    with pytest.raises(KeyError, match="did you mean car"):
        load("camvid").index("vehicels")  # a synonym's neighbor
    with pytest.raises(KeyError, match=r"no class 'zzz' in camvid; there is sky, building.*bicyclist"):
        load("camvid").index("zzz")


@pytest.mark.parametrize(("num_classes", "void"), [(2, 255), (255, 255), (256, 65535), (300, 65535)])
def test_void_is_no_class(num_classes, void):
    taxonomy = numbered(num_classes)
    palette = taxonomy.palette()
    assert taxonomy.void == void
    assert palette.shape == (void + 1, 3)
    assert palette.dtype == np.uint8
    np.testing.assert_array_equal(palette[:num_classes], taxonomy.colors)
    assert not palette[num_classes:].any()


def test_colors_of_voc():
    assert [voc_color(i) for i in (0, 1, 2, 3, 7, 8, 15, 20)] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (128, 128, 128), (64, 0, 0), (192, 128, 128), (0, 64, 128),
    ]  # fmt: skip
    assert len({voc_color(i) for i in range(256)}) == 256


def test_a_class_without_a_color_gets_one():
    taxonomy = Taxonomy.from_dict({"name": "own", "classes": [{"name": "a", "color": [1, 2, 3]}, {"name": "b"}]})
    assert taxonomy.colors == ((1, 2, 3), (0, 128, 0))
    assert taxonomy.aliases == ((), ())


@pytest.mark.parametrize("num_classes", [1, 21, 300])
def test_to_dict_and_back(num_classes):
    taxonomy = numbered(num_classes)
    assert Taxonomy.from_dict(yaml.safe_load(yaml.safe_dump(taxonomy.to_dict()))) == taxonomy


@pytest.mark.parametrize("suffix", [".yaml", ".yml"])
def test_a_file_of_the_users_own(tmp_path, suffix):
    path = tmp_path / f"own{suffix}"
    path.write_text("name: own\nclasses:\n  - {name: left, aliases: [port]}\n  - {name: right, color: [9, 9, 9]}\n")
    taxonomy = load(str(path))
    assert taxonomy.classes == ("left", "right")
    assert taxonomy.index("port") == 0


@pytest.mark.parametrize("name", ["camvit", "", "../camvid", "missing.yaml"])
def test_a_taxonomy_that_is_not_there(name):
    with pytest.raises(ConfigError, match=r"no taxonomy .*camvid.*YAML file"):
        load(name)


def test_rows_belong_together():
    with pytest.raises(ValueError, match=r"len\(self.colors\) = 1"):
        Taxonomy("broken", ("a", "b"), ((0, 0, 0),), ((), ()))


@pytest.mark.parametrize(
    "content",
    ["name: x", "classes: [", "- a\n- b", "{name: x, classes: [{color: [1, 2, 3]}]}", "{name: x, classes: []}",
     "{name: x, classes: [{name: no}]}", "{name: x, classes: [{name: a, color: [1, 2, 300]}]}",
     "{name: x, classes: [{name: a, color: [1, 2]}]}", "{name: x, classes: " + "[" * 5000],
)  # fmt: skip
def test_a_file_that_is_no_taxonomy_is_refused(content, tmp_path):
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(ConfigError, match="is no taxonomy"):
        load(str(tmp_path / "mine.yaml"))
