"""OUT as one run: what it was started with, what is planned, done and failed.

A run has one operating point, and ``pass`` is no part of what tells it from another: ``vss segment`` goes on with it
coarse or in full, as asked, ``vss refine`` in full on some clips. A clip goes from coarse to full and never back. Its
own record says which pass made it; ``operating_point.pass`` in run.json says what ``segment`` was last asked for.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

import pyarrow as pa

from vss_ray import config, trust
from vss_ray.addresses import check_address, without_secrets
from vss_ray.clips import FULL, Clip
from vss_ray.config import OperatingPoint
from vss_ray.documents import read_mapping
from vss_ray.errors import RunMismatchError, StorageError
from vss_ray.failures import FAILURES, Failure
from vss_ray.labels.taxonomy import Taxonomy
from vss_ray.manifest import MANIFEST_SCHEMA, check_plan
from vss_ray.storage.location import Location
from vss_ray.storage.parquet import bytes_of, table_of

RUN, MANIFEST, FAILED = "run.json", "manifest.parquet", "failed.parquet"
ESSENTIAL = ("fingerprint", "source", "operating_point", "taxonomy")
"""What run.json holds in any case."""
INT8 = "network.int8"
"""Graphs in int8 that all workers of the run use, see ``precision.calibrate``."""


@dataclass(frozen=True)
class Run:
    """An output folder with its operating point."""

    location: Location
    point: OperatingPoint
    taxonomy: Taxonomy
    source: str
    fingerprint: str

    @classmethod
    def start(
        cls, location: Location, point: OperatingPoint, source: str, notes: Mapping[str, Any] | None = None
    ) -> Run:
        """Begin a run in ``location``, or go on with the one that is there.

        Args:
            location: OUT.
            point: Resolved: see ``OperatingPoint.resolved``.
            source: SOURCE, as an absolute path or URL.
            notes: What else run.json is to tell of a run that begins.

        Raises:
            RunMismatchError: OUT holds a run of another operating point, other weights, or another SOURCE.
            StorageError: OUT cannot be written, or SOURCE carries a key.
        """
        try:
            check_address(source)
        except ValueError as error:
            raise StorageError(str(error)) from None
        trust.name(point.to_dict())
        description = point.describe()
        run = cls(location, point, description.taxonomy, source, point.fingerprint(description.digest))
        location.check_writable()
        if not location.exists(RUN):
            content = {
                "fingerprint": run.fingerprint,
                "source": source,
                "operating_point": point.to_dict(),
                "weights_sha256": description.digest,
                "taxonomy": run.taxonomy.to_dict(),
                "output_schema": config.OUTPUT_SCHEMA,
                "versions": _versions(),
                **(notes or {}),
            }
            location.write(RUN, _json(content))
            return run
        content = run.content()
        run._check(content, description.digest)
        if content["source"] != source:
            raise RunMismatchError(
                f"{location.root} holds a run over {without_secrets(content['source'])}, got {source}; give another OUT"
            )
        if content["operating_point"] != point.to_dict():
            location.write(RUN, _json({**content, "operating_point": point.to_dict()}))
        return run

    @classmethod
    def open(cls, location: Location) -> Run:
        """The run in ``location``.

        Raises:
            StorageError: There is none, or run.json is not one of ``start``.
        """
        content = _content(location)
        try:
            return cls(
                location,
                config.from_dict(content["operating_point"]),
                Taxonomy.from_dict(content["taxonomy"]),
                without_secrets(content["source"]),
                content["fingerprint"],
            )
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise StorageError(
                f"{location.url(RUN)} does not describe a run ({error!r}); put the run's own back, or give another OUT"
            ) from error

    def in_full(self) -> Run:
        """The same run with the full pass, for some of its clips; run.json stays as it is.

        Raises:
            RunMismatchError: The weights are not those that OUT was made with.
            ModelError: They are missing or broken.
            StorageError: The network is a program that the user has not named.
        """
        check_programs(self)
        run = replace(self, point=self.point.of_pass(FULL))
        digest = run.point.describe().digest
        replace(run, fingerprint=run.point.fingerprint(digest))._check(self.content(), digest)
        return run

    def content(self) -> dict[str, Any]:
        """run.json."""
        return _content(self.location)

    def calibrated(self) -> bytes | None:
        """The graphs in int8, where the run has some."""
        is_int8 = getattr(self.point.segmenter.config, "precision", None) == "int8"
        return self.location.read(INT8) if is_int8 else None

    def _check(self, content: dict[str, Any], digest: str) -> None:
        if content["fingerprint"] != self.fingerprint:
            raise RunMismatchError(
                f"{self.location.root} holds run {content['fingerprint']}, this would be {self.fingerprint}: "
                f"{_difference(content, self.point.to_dict(), digest)}; "
                "give another OUT, or the operating point of the first run"
            )

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Put the closing summary of this run into run.json."""
        self.location.write(RUN, _json({**self.content(), "summary": summary}))

    def write_manifest(self, clips: Sequence[Clip]) -> None:
        """Store the plan."""
        rows = [clip.to_row() for clip in clips]
        self.location.write(MANIFEST, bytes_of(pa.Table.from_pylist(rows, MANIFEST_SCHEMA)))

    def manifest(self) -> pa.Table:
        """The plan, one row a clip: the columns of ``Clip`` and ``clip_id``.

        Raises:
            StorageError: There is none, or it is not one of ``write_manifest``.
        """
        plan = _table(self.location, MANIFEST, MANIFEST_SCHEMA)
        try:
            check_plan(plan)
        except ValueError as error:
            raise _damaged(self.location, MANIFEST, error) from error
        return plan

    def manifest_rows(self) -> list[dict[str, Any]]:
        """The plan, one dict a clip."""
        return self.manifest().to_pylist()

    def write_failures(self, failures: Sequence[Failure]) -> None:
        """Store what could not be done; replaces the list of an earlier attempt."""
        rows = [vars(failure) for failure in failures]
        self.location.write(FAILED, bytes_of(pa.Table.from_pylist(rows, FAILURES)))

    def failures(self) -> list[Failure]:
        """What could not be done when this run last ended."""
        if not self.location.exists(FAILED):
            return []
        return [Failure(**row) for row in _table(self.location, FAILED, FAILURES).to_pylist()]


def content_of(location: Location) -> dict[str, Any] | None:
    """run.json of the run in ``location``, if there is one.

    Raises:
        StorageError: It is damaged, or names programs that the user has not.
    """
    if not location.exists(RUN):
        return None
    try:
        content = read_mapping(location.read(RUN), ESSENTIAL)
    except ValueError as error:
        raise StorageError(
            f"{location.url(RUN)} does not describe a run ({error}); put the run's own back, or give another OUT"
        ) from error
    if not isinstance(content["operating_point"], dict):
        raise StorageError(f"{location.url(RUN)} does not describe a run (no operating_point); give another OUT")
    _trusted(location, trust.check_modules, content["operating_point"])
    return content


def check_programs(run: Run) -> None:
    """To be asked before the networks of a run that was opened are loaded.

    Raises:
        StorageError: One of them is a program that the user has not named.
    """
    _trusted(run.location, trust.check_files, run.point.to_dict())


def _trusted(location: Location, check: Callable[[Mapping[str, Any]], None], point: dict[str, Any]) -> None:
    try:
        check(point)
    except ValueError as error:
        raise StorageError(f"{location.url(RUN)}: {error}") from None


def _content(location: Location) -> dict[str, Any]:
    content = content_of(location)
    if content is None:
        raise StorageError(f"{location.root} holds no run: it has no {RUN}; start one with `vss segment SOURCE OUT`")
    return content


def _difference(content: dict[str, Any], point: dict[str, Any], digest: str) -> str:
    before = _flat(content["operating_point"]) | {"weights": content["weights_sha256"][:12]}
    now = _flat(point) | {"weights": digest[:12]}
    changed = [
        key for key in {**before, **now} if before.get(key) != now.get(key) and key.split(".")[0] not in config.HOW_ONLY
    ]
    return (
        ", ".join(f"{key} was {before.get(key)!r}, is {now.get(key)!r}" for key in changed) or "another output schema"
    )


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _versions() -> dict[str, str]:
    names = ("vss-ray", "ray", "torch", "openvino", "av", "opencv-python", "numpy", "pyarrow")
    found = {d.metadata["Name"].lower(): d.version for d in metadata.distributions()}
    return {"python": platform.python_version(), **{name: found[name] for name in names if name in found}}


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _table(location: Location, path: str, schema: pa.Schema) -> pa.Table:
    content = location.read(path)
    try:
        return table_of(content, schema)
    except ValueError as error:
        raise _damaged(location, path, error) from error


def _damaged(location: Location, path: str, error: Exception) -> StorageError:
    return StorageError(
        f"{location.url(path)} is not what a run wrote ({error}); delete it, and run the same `vss segment` again"
    )
