"""Operating points: what is refused and how it is said, overrides, fingerprints."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from vss_ray import config, plugins
from vss_ray.config import FAMILIES, OperatingPoint
from vss_ray.errors import ConfigError, VssError

MINIMAL: dict[str, Any] = {"method": "evs", "segmenter": "builtin"}


def write(tmp_path, text: str) -> str:
    path = tmp_path / "point.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", config.names())
def test_every_operating_point_of_the_package_loads(name):
    point = config.load(name)
    assert point == config.load(str(config.folder() / f"{name}.yaml"))
    assert config.from_dict(point.to_dict()) == point
    assert point.resolved(has_cuda=False).fingerprint("0")


def test_there_are_the_two_that_the_readme_starts_with():
    assert {"evs", "per_frame"} <= set(config.names())


# D, S, W, R of Table 3.2 of the thesis. R at S = 1 has nothing to refine: there the last picture votes.
EVS_POINTS = [
    (540, 1, True, False), (540, 2, True, True), (540, 2, True, False), (540, 3, True, True), (540, 3, True, False),
    (540, 5, True, True), (540, 5, True, False), (540, 5, False, False), (270, 5, False, False),
    (540, 10, True, False), (540, 10, False, False), (270, 10, True, False), (270, 10, False, False),
    (270, 17, True, False),
]  # fmt: skip


@pytest.mark.parametrize(("number", "wanted"), list(enumerate(EVS_POINTS, start=1)))
def test_the_fourteen_points_of_the_thesis(number, wanted):
    point = config.load(f"evs-{number:02d}")
    method, every = point.method.config, point.keyframes.config.every
    assert (point.segmenter.config.short_side, every, method.warp, bool(method.refine_every)) == wanted
    assert (point.method.name, method.direction) == ("evs", "forward")
    assert method.refine_every in (0, every - 1)  # once an interval, on its last picture
    assert bool(method.fuse_keyframes) == (number == 1)


def test_defaults():
    point = config.from_dict(MINIMAL)
    assert (point.keyframes.name, point.keyframes.config.every) == ("fixed", 10)
    assert point.flow.config == point.flow.module.Config()
    assert point.masks.name == "h264"
    assert (point.clip_seconds, point.audit, point.cut_threshold) == (10.0, 0.0, 27.0)
    assert point.method.module is plugins.load("methods", "evs")


def test_short_and_long_forms_are_the_same():
    long = {"method": {"name": "evs"}, "segmenter": {"name": "builtin"}}
    assert config.from_dict(MINIMAL) == config.from_dict(long)


def test_everything_is_written_out():
    content = config.from_dict(MINIMAL).to_dict()
    assert set(content) == {*FAMILIES, "clip_seconds", "audit", "cut_threshold", "pass", "limits"}
    assert content["keyframes"] == {"name": "fixed", "every": 10, "every_seconds": None}


def test_values_cannot_be_changed():
    point = config.from_dict(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        point.audit = 1.0  # type: ignore[misc]


REFUSED = [
    ({"keyframe": {"every": 3}}, "unknown key keyframe; did you mean keyframes"),
    ({"zzzz": 1}, "unknown key zzzz; there is method, segmenter, keyframes, flow"),
    ({"keyframes": {"name": "fixed", "evry": 3}}, "unknown key keyframes.evry; did you mean every"),
    ({"keyframes": {"name": "fixed", "zzzz": 3}}, "unknown key keyframes.zzzz; there is every, every_seconds"),
    ({"method": {"name": "per_frame", "direction": "both"}}, "unknown key method.direction; there is nothing"),
    ({"flow": "horn_schunck"}, "flow: there is no 'horn_schunck'; there is .*dis.*farneback"),
    ({"keyframes": {"name": "my.own.schedule", "every": 3}}, "keyframes: there is no 'my.own.schedule'"),
    ({"masks": "json.tool"}, "masks: json.tool is no plug-in: it lacks Config and build"),
    ({"keyframes": {"every": 3}}, r"keyframes: got {'every': 3}; wanted a mapping with a name"),
    ({"flow": None}, "flow: got None; wanted a mapping with a name"),
    ({"flow": ["dis"]}, "flow: got .*; wanted a mapping with a name"),
    ({"flow": {"name": 3}}, "flow: got .*; wanted a mapping with a name"),
    ({"keyframes": {"name": "fixed", "every": "often"}}, "keyframes.every: got 'often'; Input should be a valid int"),
    ({"keyframes": {"name": "fixed", "every": 2.5}}, "keyframes.every: got 2.5; "),
    ({"method": {"name": "evs", "direction": "sideways"}}, "method.direction: got 'sideways'; .*'both' or 'forward'"),
    ({"keyframes": {"name": "fixed", "every": 0}}, r"keyframes: got {'every': 0}; the distance must be positive"),
    ({"keyframes": "fixed"}, r"keyframes: got {}; give either every or every_seconds"),
    ({"keyframes": {"name": "aks", "at_least": 9, "at_most": 2}}, "keyframes: got .*; wanted 1 <= at_least <= at_most"),
    ({"segmenter": {"name": "builtin", "short_side": 8}}, "segmenter: got .*; short_side is 8; wanted 32"),
    ({"clip_seconds": 0}, "clip_seconds: got 0; Input should be greater than 0"),
    ({"clip_seconds": "long"}, "clip_seconds: got 'long'; Input should be a valid number"),
    ({"audit": 1.5}, "audit: got 1.5; Input should be less than or equal to 1"),
    ({"audit": -0.1}, "audit: got -0.1; Input should be greater than or equal to 0"),
    ({"cut_threshold": 0}, "cut_threshold: got 0; "),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_refusals(change, message):
    with pytest.raises(ConfigError, match=f"^{message}") as caught:
        config.from_dict({**MINIMAL, **change})
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_missing_part_is_named():
    with pytest.raises(ConfigError, match=r"segmenter is missing; see configs/evs\.yaml"):
        config.from_dict({"method": "evs"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: evs\nsegmenter: builtin\nmethod: per_frame\n", "the key 'method' stands twice.*line 1"),
        ("method: {name: evs, name: per_frame}\nsegmenter: builtin\n", "the key 'name' stands twice"),
        ("method: [evs\n", "is not YAML"),
        ("? [a, b]\n: 3\n", "is not YAML"),
        ("a: \x07", "is not YAML"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
        ("- evs\n- builtin\n", "got list; wanted a mapping of method, segmenter"),
        ("", "got NoneType; wanted a mapping of method, segmenter"),
        ("evs", "got str; wanted a mapping"),
    ],
)
def test_files_that_are_refused(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        config.load(path)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "point.yaml"
    path.write_bytes(b"\xff\xfe\x80\x81")
    with pytest.raises(ConfigError, match="is not YAML"):
        config.load(str(path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("evz", "no operating point 'evz'; there is evs, or give a YAML file"),
        ("nothing like it", r"no operating point 'nothing like it'; there is .*evs.*per_frame"),
        ("missing.yaml", r"no operating point at missing\.yaml; give a YAML file, or one of .*evs"),
        ("missing.yml", r"no operating point at missing\.yml"),
    ],
)
def test_operating_points_that_are_not_there(name, message):
    with pytest.raises(ConfigError, match=message):
        config.load(name)


SET = [
    ("keyframes.every=20", ("keyframes", "every"), 20),
    (" keyframes.every = 20", ("keyframes", "every"), 20),
    ("method.direction=forward", ("method", "direction"), "forward"),
    ("masks.name=h264", ("masks", "name"), "h264"),
    ("flow={name: dis, normalize: yes}", ("flow", "normalize"), True),
    ("flow=farneback", ("flow", "name"), "farneback"),
    ("flow={name: farneback, levels: 1}", ("flow", "levels"), 1),
    ("segmenter.weights=random:resnet", ("segmenter", "weights"), "random:resnet"),
    ("segmenter.weights=/a/b=c.safetensors", ("segmenter", "weights"), "/a/b=c.safetensors"),
]


@pytest.mark.parametrize(("override", "path", "value"), SET)
def test_set(override, path, value):
    content: Any = config.load("evs", [override]).to_dict()
    for key in path:
        content = content[key]
    assert content == value


def test_set_top_level_and_last_wins():
    point = config.load("evs", ["audit=0.5", "audit=0.01", "clip_seconds=4"])
    assert (point.audit, point.clip_seconds) == (0.01, 4.0)


def test_set_on_the_short_form(tmp_path):
    path = write(tmp_path, "method: evs\nsegmenter: builtin\nflow: farneback\n")
    assert config.load(path, ["flow.levels=1"]).flow.to_dict()["levels"] == 1


def test_set_changes_the_plug_in(tmp_path):
    path = write(tmp_path, "method: evs\nsegmenter: builtin\n")
    point = config.load(path, ["keyframes.name=optimal", "keyframes.risk=3"])
    assert (point.keyframes.name, point.keyframes.config.risk) == ("optimal", 3.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("keyframes.every", "wanted KEY=VALUE, such as keyframes.every=20"),
        ("=3", "wanted KEY=VALUE"),
        (".every=3", "wanted KEY=VALUE"),
        ("keyframes.=3", "wanted KEY=VALUE"),
        ("keyframes..every=3", "wanted KEY=VALUE"),
        ("", "wanted KEY=VALUE"),
        ("keyframes.every.x=3", "every is 10, which has no keys of its own"),
        ("audit=[1", r"'\[1' is not a YAML value"),
        ("audit={a: 1, a: 2}", "is not a YAML value"),
        ("keyframes.evry=3", "unknown key keyframes.evry; did you mean every"),
        ("keyframes.every=often", "keyframes.every: got 'often'"),
        ("audits=0.1", "unknown key audits; did you mean audit"),
    ],
)
def test_set_that_is_refused(override, message):
    with pytest.raises(ConfigError, match=message):
        config.load("evs", [override])


CHANGES = [
    "method=per_frame",
    "method.direction=forward",
    "method.motion_hz=31.5",
    "method.anchor_every=97",
    "method.error_scale=5.5",
    "segmenter.weights=random:mobilenet_v2",
    "segmenter={name: builtin, short_side: 256, enlarge: true}",
    "segmenter={name: builtin, short_side: 256, enlarge: false}",
    "segmenter.engine=torch",
    "segmenter.precision=fp32",
    "keyframes.every=11",
    "keyframes={name: fixed, every_seconds: 10}",
    "keyframes={name: optimal, every: 10}",
    "flow={name: dis, iterations: 1}",
    "flow={name: dis, iterations: 2}",
    "flow=farneback",
    "masks=ffv1",
    "clip_seconds=11",
    "audit=0.01",
    "cut_threshold=28",
]


def test_a_fingerprint_tells_any_change(monkeypatch):
    seen = {config.load("evs", [change]).fingerprint("weights") for change in CHANGES}
    point = config.load("evs")
    seen |= {point.fingerprint("weights"), point.fingerprint("other weights")}
    monkeypatch.setattr(config, "OUTPUT_SCHEMA", -1)
    seen.add(point.fingerprint("weights"))
    assert len(seen) == len(CHANGES) + 3
    assert all(re.fullmatch("[0-9a-f]{16}", fingerprint) for fingerprint in seen)


def test_both_passes_of_a_point_share_a_fingerprint():
    full, coarse = config.load("evs"), config.load("evs", ["pass=coarse"])
    assert (full.to_dict()["pass"], coarse.to_dict()["pass"]) == ("full", "coarse")
    assert full.fingerprint("weights") == coarse.fingerprint("weights")
    assert coarse.of_pass("full") == full != coarse == config.from_dict(coarse.to_dict())


@pytest.mark.parametrize("name", config.names())
def test_a_coarse_pass_labels_by_the_network_alone_whatever_the_method(name):
    point = config.load(name)
    assert point.labelling == point.method
    coarse = point.of_pass("coarse").labelling
    assert (coarse.name, coarse.family) == ("per_frame", point.method.family)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("pass=fast", "pass: got 'fast'; Input should be 'full' or 'coarse'"),
        ("pass_=coarse", "unknown key pass_; did you mean pass"),
        ("pas=coarse", "unknown key pas; did you mean .*pass"),
    ],
)
def test_a_pass_that_there_is_not(override, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        config.load("evs", [override])


def test_a_fingerprint_does_not_tell_how_it_was_written():
    content = {**MINIMAL, "keyframes": {"name": "fixed", "every": 10}, "audit": 0, "flow": {"name": "dis", "stride": 5}}
    forms = [
        content,
        dict(reversed(content.items())),
        {**content, "keyframes": {"every": 10, "name": "fixed"}},
        {**content, "audit": 0.0},
        config.from_dict(content).to_dict(),
    ]
    assert len({config.from_dict(form).fingerprint("weights") for form in forms}) == 1


def test_the_same_fingerprint_in_every_process():
    """A change here means that every run anybody has must be started again."""
    point = config.from_dict(
        {"method": "per_frame", "segmenter": "builtin", "keyframes": {"name": "fixed", "every": 3}}
    )
    assert point.fingerprint("a") == point.model_copy().fingerprint("a") != point.fingerprint("b")


def test_resolved_leaves_nothing_open():
    point = config.load("evs").resolved(has_cuda=False)
    assert point.segmenter.config.engine in ("openvino", "torch")
    assert point.segmenter.config.precision in ("fp32", "bf16")
    assert point.resolved(has_cuda=True) == point
    assert config.load("evs", ["segmenter.engine=torch"]).resolved(has_cuda=True).segmenter.config.precision == "bf16"


def test_resolved_paths_of_weights_mean_the_same_in_every_folder(monkeypatch, tmp_path):
    def resolved(weights: str) -> tuple[str, str]:
        method = {"name": "evs", "direction": "forward", "refine_every": 2, "weights": weights}
        point = config.from_dict({"method": method, "segmenter": {"name": "builtin", "weights": weights}})
        point = point.resolved(has_cuda=False)
        return point.method.config.weights, point.segmenter.config.weights

    monkeypatch.chdir(tmp_path)
    assert resolved("nets/a.safetensors") == (f"{tmp_path}/nets/a.safetensors",) * 2
    assert resolved(f"{tmp_path}/b.safetensors") == (f"{tmp_path}/b.safetensors",) * 2
    assert resolved("by_name") == ("by_name",) * 2


@pytest.mark.parametrize("family", FAMILIES)
def test_every_plug_in_can_be_written_down_and_read_again(family):
    needs = {"fixed": {"every": 3}, "optimal": {"every": 3}, "exported": {"model": "net.onnx", "taxonomy": "camvid"}}
    for name in plugins.names(FAMILIES[family]):
        try:
            point = config.from_dict({**MINIMAL, family: {"name": name, **needs.get(name, {})}})
        except VssError as error:
            assert "missing" in str(error)  # noqa: PT017 - a plug-in may have options without defaults
            continue
        assert OperatingPoint.model_validate(point.to_dict()) == point


@dataclass(frozen=True, kw_only=True)
class Inner:
    __pydantic_config__: ClassVar = {"extra": "forbid"}
    epochs: int = 3


@dataclass(frozen=True, kw_only=True)
class Recipe:
    __pydantic_config__: ClassVar = {"extra": "forbid"}
    rate: float = 0.1
    scale: tuple[float, float] = (0.5, 2.0)
    inner: Inner = field(default_factory=Inner)


def test_a_dataclass_with_overrides():
    assert config.dataclass_from(Recipe, []) == Recipe()
    overrides = ["rate=2", "inner.epochs=9", "scale=[1, 3]"]
    assert config.dataclass_from(Recipe, overrides) == Recipe(rate=2.0, scale=(1.0, 3.0), inner=Inner(epochs=9))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rat=1", "unknown key rat; did you mean rate"),
        ("inner.epoch=1", "unknown key inner.epoch; did you mean epochs"),
        ("inner.zzzz=1", "unknown key inner.zzzz; there is epochs"),
        ("inner.epochs=many", "inner.epochs: got 'many'; Input should be a valid integer"),
        ("scale=[1, a]", "scale.1: got 'a'"),
        ("scale=[1]", r"scale.1 is missing|scale: got"),
        ("rate.x=1", "rate: got {'x': 1}"),
    ],
)
def test_a_dataclass_refuses(override, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        config.dataclass_from(Recipe, [override])


def test_another_plug_in_by_set_drops_the_options_of_the_first():
    point = config.load("evs", ["keyframes.name=aks", "keyframes.threshold=0.2"])
    assert (point.keyframes.name, point.keyframes.config.threshold) == ("aks", 0.2)
    assert config.load("evs", ["method.name=per_frame"]).method.name == "per_frame"
    assert config.load("evs", ["keyframes.name=fixed", "keyframes.every=3"]).keyframes.config.every == 3
