"""Operating points: one YAML, checked whole before anything runs, every field reachable by ``--set a.b=c``."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from vss_ray import plugins, trust
from vss_ray.clips import FULL, Pass
from vss_ray.documents import read_yaml
from vss_ray.errors import ConfigError
from vss_ray.media.limits import Limits
from vss_ray.networks.stored import SUFFIX
from vss_ray.printable import printable
from vss_ray.segmenters import Description

FAMILIES = {"method": "methods", "segmenter": "segmenters", "keyframes": "keyframes", "flow": "flow", "masks": "masks"}
"""Key of an operating point -> folder of the package whose modules are its legal names."""
OUTPUT_SCHEMA = 3
"""Version of everything in OUT; part of the fingerprint."""
HOW_ONLY = ("pass", "limits", "clip_attempts", "clip_timeout_seconds")
"""Fields that may differ from one start of a run to the next: they are left out of its fingerprint."""

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """One choice of an operating point: a plug-in and its own configuration."""

    family: str
    name: str
    config: Any
    """The plug-in's frozen ``Config``."""

    @cached_property
    def module(self) -> ModuleType:
        """The plug-in."""
        return plugins.load(self.family, self.name)

    def to_dict(self) -> dict[str, Any]:
        """The form of the YAML, defaults written out."""
        return {"name": self.name, **json.loads(json.dumps(asdict(self.config)))}  # tuples are lists there


class OperatingPoint(BaseModel):
    """Everything that decides what a run writes."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    method: Part
    segmenter: Part
    keyframes: Part = Field(default={"name": "fixed", "every": 10}, validate_default=True)  # type: ignore[assignment]
    flow: Part = Field(default={"name": "inverse_search"}, validate_default=True)  # type: ignore[assignment]
    masks: Part = Field(default={"name": "h264"}, validate_default=True)  # type: ignore[assignment]
    clip_seconds: float = Field(default=10.0, gt=0)
    """Wanted length of a clip; cuts fall on codec keyframes."""
    audit: float = Field(default=0.0, ge=0, le=1)
    """Share of frames on which carried labels are compared with the network's own."""
    cut_threshold: float = Field(default=27.0, gt=0)
    """Change from one picture to the next that counts as a cut (PySceneDetect's content score)."""
    pass_: Pass = Field(default=FULL, alias="pass")
    """``coarse`` labels codec keyframes only, each by the network; the rest of the point waits for ``vss refine``."""
    limits: Limits = Limits()
    """What a file may ask for; one that asks for more is refused."""
    clip_attempts: int = Field(default=3, ge=1)
    """How often a clip may take its worker with it, or hang, until it is left alone."""
    clip_timeout_seconds: float | None = Field(default=None, gt=0)
    """What a stage may take for a clip, or a batch of them, until it hangs; by default 600 s and one a frame,
    ten where networks run."""

    @field_validator(*FAMILIES, mode="before")
    @classmethod
    def _load_part(cls, value: Any, info: Any) -> Part:
        if isinstance(value, Part):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise ConfigError(f"{info.field_name}: got {value!r}; wanted a mapping with a name, such as {{name: dis}}")
        family = FAMILIES[info.field_name]
        module = plugins.load(family, value["name"])
        options = {k: v for k, v in value.items() if k != "name"}
        try:
            config = TypeAdapter(module.Config).validate_python(options)
        except ValidationError as error:
            known = [field.name for field in fields(module.Config)]
            raise ConfigError(_explain(error, f"{info.field_name}.", known)) from error
        return Part(family, value["name"], config)

    def to_dict(self) -> dict[str, Any]:
        """The form of the YAML, defaults written out."""
        return {field.alias or name: _plain(getattr(self, name)) for name, field in type(self).model_fields.items()}

    def of_pass(self, which: Pass) -> OperatingPoint:
        """This point with another pass; a run takes it for the same point."""
        return self.model_copy(update={"pass_": which})

    @property
    def labelling(self) -> Part:
        """The method that really labels: between the pictures of a coarse pass lie seconds, and nothing is carried."""
        if self.pass_ == FULL:
            return self.method
        return Part("methods", "per_frame", plugins.load("methods", "per_frame").Config())

    def resolved(self, has_cuda: bool) -> OperatingPoint:
        """This point with ``auto`` replaced by what will really run here, and paths that every worker understands."""
        segmenter = replace(self.segmenter, config=self.segmenter.module.resolve(self.segmenter.config, has_cuda))
        method = self.method
        weights = getattr(method.config, "weights", None)
        if weights is not None and weights.endswith(SUFFIX):
            method = replace(method, config=replace(method.config, weights=os.path.abspath(weights)))
        return self.model_copy(update={"segmenter": segmenter, "method": method})

    def describe(self) -> Description:
        """Classes, and a digest over all weights that decide what is written.

        Raises:
            ModelError: Weights are missing, broken, or do not belong together.
        """
        base: Description = self.segmenter.module.describe(self.segmenter.config)
        if not hasattr(self.method.module, "describe"):
            return base
        own = self.method.module.describe(self.method.config, base)
        return replace(base, digest=hashlib.sha256(f"{base.digest}, {own}".encode()).hexdigest()) if own else base

    def fingerprint(self, weights_digest: str) -> str:
        """16 hex digits over the point, the weights and the output schema.

        ``pass`` is left out: both passes of a point share an OUT, in which every clip and row says which one made it.
        So is what decides nothing that is written of a file that is taken.
        """
        point = {key: value for key, value in self.to_dict().items() if key not in HOW_ONLY}
        content = {"point": point, "weights": weights_digest, "schema": OUTPUT_SCHEMA}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def load(name: str, overrides: Sequence[str] = ()) -> OperatingPoint:
    """An operating point by the name of a file in configs/, or by path, with ``a.b=c`` overrides applied.

    Raises:
        ConfigError: No such file, bad YAML, an unknown key or name, or a value that makes no sense.
    """
    path = find(name)
    try:
        content = read_yaml(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: got {type(content).__name__}; wanted a mapping of {', '.join(FAMILIES)}")
    for override in overrides:
        _apply(content, override)
    point = from_dict(content)
    trust.name(point.to_dict())
    return point


def from_dict(content: dict[str, Any]) -> OperatingPoint:
    """An operating point from the form of the YAML.

    Raises:
        ConfigError: See ``load``.
    """
    try:
        return OperatingPoint.model_validate(content)
    except ValidationError as error:
        known = [field.alias or name for name, field in OperatingPoint.model_fields.items()]
        if error.errors()[0]["loc"][:1] == ("limits",):
            known = [field.name for field in fields(Limits)]
        raise ConfigError(_explain(error, "", known)) from error


def dataclass_from(kind: type[T], overrides: Sequence[str]) -> T:
    """A dataclass, nested ones in it, with ``KEY=VALUE`` overrides of its defaults.

    Raises:
        ConfigError: An unknown key, or a value that makes no sense.
    """
    content: dict[str, Any] = {}
    for override in overrides:
        _apply(content, override)
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        known = [field.name for field in fields(_owner(kind, error.errors()[0]["loc"]))]
        raise ConfigError(_explain(error, "", known)) from error


def find(name: str) -> Path:
    """The file of an operating point."""
    if Path(name).suffix in (".yaml", ".yml"):
        if not Path(name).is_file():
            raise ConfigError(f"no operating point at {name}; give a YAML file, or one of {', '.join(names())}")
        return Path(name)
    path = folder() / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(name, names(), n=3)
        raise ConfigError(f"no operating point {name!r}; there is {', '.join(near or names())}, or give a YAML file")
    return path


def folder() -> Path:
    """configs/ of the checkout, or the copy that a wheel carries."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "configs"


def names() -> list[str]:
    """Operating points that the package brings."""
    return sorted(path.stem for path in folder().glob("*.yaml"))


def _apply(content: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    *parents, last = path.strip().split(".")
    if not separator or not last or not all(parents):
        raise ConfigError(f"--set {override!r}: wanted KEY=VALUE, such as keyframes.every=20")
    for key in parents:
        inner = content.setdefault(key, {})
        if isinstance(inner, str):  # the short form "flow: dis"
            inner = content[key] = {"name": inner}
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {override!r}: {key} is {inner!r}, which has no keys of its own")
        content = inner
    try:
        value = read_yaml(text)
    except ValueError as error:
        raise ConfigError(f"--set {override!r}: {text!r} is not a YAML value") from error
    if last == "name" and content.get("name") not in (None, value):
        content.clear()  # the options of another plug-in mean nothing to this one
    content[last] = value


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.to_dict()
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _owner(kind: Any, path: Sequence[int | str]) -> Any:
    """The innermost dataclass on the way from ``kind`` to a value."""
    for key in path:
        inner = get_type_hints(kind).get(str(key))
        if not is_dataclass(inner):
            break
        kind = inner
    return kind


def _explain(error: ValidationError, prefix: str, known: list[str]) -> str:
    first = error.errors()[0]
    where = printable((prefix + ".".join(str(part) for part in first["loc"])).rstrip(".")) or "the operating point"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        near = difflib.get_close_matches("".join(map(str, first["loc"][-1:])), known, n=3)
        return f"unknown key {where}; {'did you mean' if near else 'there is'} {', '.join(near or known) or 'nothing'}"
    if first["type"] == "missing":
        return f"{where} is missing; see configs/evs.yaml for a complete operating point"
    return f"{where}: got {first.get('input')!r}; {first['msg'].removeprefix('Value error, ')}"
