"""Programs that come with a file or an OUT do not run unless the user has named them."""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vss_ray import config, trust
from vss_ray.errors import ConfigError, ModelError, StorageError
from vss_ray.lookup.picture import embed_picture
from vss_ray.run import RUN, Run
from vss_ray.segmenters import exported
from vss_ray.segmenters._sizes import only_counts

OWN = "import os, pathlib\npathlib.Path(os.environ['VSS_TEST_MARK']).touch()\n"


class Touches:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once a program of somebody else has run."""
    monkeypatch.setenv("VSS_TEST_MARK", str(tmp_path / "mark"))
    monkeypatch.setattr(trust, "_named", set())
    monkeypatch.delenv(trust.VARIABLE, raising=False)
    return tmp_path / "mark"


@pytest.mark.parametrize("key", ["keyframes", "flow", "masks", "method", "segmenter"])
@pytest.mark.parametrize("short", [False, True])
def test_a_run_has_no_module_imported(key, short, mark, finished: Run, tmp_path, monkeypatch, refusal) -> None:
    (tmp_path / "of_somebody.py").write_text(OWN)
    (tmp_path / "of").mkdir()
    (tmp_path / "of" / "somebody.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    content = json.loads(finished.location.read(RUN))
    content["operating_point"][key] = "of.somebody" if short else {"name": "of.somebody"}
    finished.location.write(RUN, json.dumps(content).encode())
    assert "it names of.somebody, a program that would run here" in refusal(StorageError, Run.open, finished.location)
    assert not mark.exists()
    monkeypatch.setenv(trust.VARIABLE, f"another{os.pathsep}of.somebody")
    with pytest.raises(ConfigError, match="is no plug-in"):
        Run.open(finished.location)
    assert mark.exists()
    for name in ("of.somebody", "of"):
        sys.modules.pop(name, None)


def test_a_run_has_no_exported_network_loaded(mark, finished: Run, tmp_path, refusal) -> None:
    content = json.loads(finished.location.read(RUN))
    network = tmp_path / "finished" / "network.pt2"
    content["operating_point"]["segmenter"] = {"name": "exported", "path": str(network), "labels": "camvid"}
    finished.location.write(RUN, json.dumps(content).encode())
    run = Run.open(finished.location)
    for call in (run.in_full, lambda: embed_picture(run, "x.png")):
        assert f"it names {network}, a program" in refusal(StorageError, call)
    trust.name(run.point.to_dict())
    assert "no file" in refusal(ModelError, run.in_full)


def test_what_the_user_names_is_known(mark, tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text(
        f"method: per_frame\nsegmenter: {{name: exported, path: {tmp_path / 'n.pt2'}, labels: camvid}}\n"
    )
    point = config.load(str(tmp_path / "mine.yaml"))
    trust.check_files(point.to_dict())
    with pytest.raises(ValueError, match=r"other\.pt2"):
        trust.check_files({"segmenter": {"name": "exported", "path": "/other.pt2"}})


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of any height, as torch exports it."""
    network = nn.Sequential(nn.Conv2d(3, 11, 3, padding=1, stride=2), nn.Upsample(scale_factor=2)).eval()
    height = torch.export.Dim("height", min=32, max=4096)
    program = torch.export.export(network, (torch.zeros(1, 3, 64, 96),), dynamic_shapes=({2: height},))
    path = tmp_path_factory.mktemp("archive") / "net.pt2"
    torch.export.save(program, path)
    return path


def changed(archive: Path, target: Path, change: Callable[[dict[str, bytes]], Any], **options: Any) -> Path:
    """The archive with other members, given without its folder."""
    with zipfile.ZipFile(archive) as old:
        folder = old.namelist()[0].partition("/")[0]
        members = {name.partition("/")[2]: old.read(name) for name in old.namelist()}
    change(members)
    with zipfile.ZipFile(target, "w", **options) as new:
        for name, content in members.items():
            new.writestr(name.removeprefix("/") if name.startswith("/") else f"{folder}/{name}", content)
    return target


def as_graph(text: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        graph = members["models/model.json"].decode()
        start = graph.index('"expr_str"')
        end = graph.index('"', graph.index(":", start) + 3)
        members["models/model.json"] = f'{graph[:start]}"expr_str": {json.dumps(text)}{graph[end + 1 :]}'.encode()

    return change


def test_what_torch_exports_is_taken(archive: Path) -> None:
    exported._refuse_programs(str(archive))


def test_archives_that_are_more_than_a_graph(archive: Path, tmp_path, mark, refusal) -> None:
    pickled = pickle.dumps(Touches(mark), protocol=2)
    path = tmp_path / "net.pt2"

    def refused(change: Callable[[dict[str, bytes]], Any], **options: Any) -> str:
        return refusal(ModelError, exported._refuse_programs, str(changed(archive, path, change, **options)))

    for name in ("data/aotinductor/model/run.so", "code/__torch__.py", "data.pkl", "constants.pkl"):
        assert "holds pickles or compiled code" in refused(lambda members, name=name: members.update({name: pickled}))
    assert "sample_inputs" in refused(lambda members: members.update({"data/sample_inputs/model.pt": pickled}))
    for bad in (b"{}", b"[]", b"[" * 9999, b'{"config": 3}', b'{"config": {"a": {}}}', b"\xff"):
        told = refused(lambda members, bad=bad: members.update({"data/weights/model_weights_config.json": bad}))
        assert "is no archive of torch.export.save" in told
    assert "two folders" in refused(lambda members: members.update({"/other/models/model.json": b"{}"}))
    assert "compiled code" in refused(lambda _: None, compression=zipfile.ZIP_DEFLATED)
    for text in ("__import__('os').system('touch x')", "().__class__", "Symbol('a').subs", "open('x')", "[1][0]"):
        assert "models/model.json" in refused(as_graph(text)), text
    changed(archive, path, as_graph("Add(Symbol('s1', positive=True, integer=True), Integer(-1))"))
    exported._refuse_programs(str(path))
    with zipfile.ZipFile(path, "a") as twice, pytest.warns(UserWarning, match="Duplicate"):
        twice.writestr(twice.namelist()[0], b"")
    assert "two files of one name" in refusal(ModelError, exported._refuse_programs, str(path))
    assert not mark.exists()


def test_pickles_under_any_name(tmp_path, mark, refusal) -> None:
    for name in ("net.pt", "net.pth", "net.bin", "net.ckpt", "net.pkl", "net.pt2"):
        torch.save(Touches(mark), tmp_path / name)
        config_ = exported.Config(path=str(tmp_path / name), labels="camvid")
        said = refusal((ConfigError, ModelError), exported.describe, config_)
        assert "torch.export" in said
    assert not mark.exists()


@given(st.text("()._'\"[]{}:=,+-*/ lambdaimportSymbolAdd10", max_size=40))
def test_expressions_only_count(text: str) -> None:
    if only_counts(text):
        names = {"Symbol": lambda *_, **__: 1, "Add": lambda *_: 1}
        assert not any(sign in text for sign in ("__", "[", "{", "lambda "))
        assert "." not in text.replace("0.", "").replace("1.", "").replace(".0", "").replace(".1", ""), names


def test_nothing_in_the_package_unpickles() -> None:
    """Whoever reads a file of torch or numpy says that only numbers may be in it."""
    for path in Path(config.__file__).parent.rglob("*.py"):
        text = path.read_text()
        for call in ("torch.load(", "np.load("):
            for piece in text.split(call)[1:]:
                assert "weights_only=True" in piece[:160] or "allow_pickle=False" in piece[:160], path
        assert "pickle.load" not in text, path
        assert "yaml.load(" not in text or path.name == "documents.py", path
