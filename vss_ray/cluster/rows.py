"""Prepared clips and scores as Arrow rows: one copy into a buffer on the way out, none on the way in.

A row is one clip: its plan and its story as JSON, its arrays as raw buffers. Every row has the same four columns,
failed ones included, so that blocks of any mixture fit together.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vss_ray.clips import Clip
from vss_ray.failures import Failure

SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("story", pa.string()),
        ("arrays", pa.string()),
        ("buffers", pa.list_(pa.large_binary())),
    ]
)

LINE = 64
"""Bytes."""


@dataclass(frozen=True)
class Story:
    """What has happened to a clip so far: costs by name, and the failure that ended it, if any."""

    costs: dict[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    audits: list[dict[str, Any]] = field(default_factory=list)
    """Audited pictures, in the form of the clips table's ``audit`` column."""
    places: dict[str, str] = field(default_factory=dict)
    """Stage -> ``node:process`` that ran it."""
    met: dict[str, Any] = field(default_factory=dict)
    """What decoding met, see ``DecodeStats.met``."""

    def with_costs(self, **costs: float) -> Story:
        """The same with further costs."""
        return replace(self, costs={**self.costs, **costs})

    def at(self, stage: str, place: str) -> Story:
        """The same with the place of a stage."""
        return replace(self, places={**self.places, stage: place})


@dataclass(frozen=True)
class Row:
    """One clip on its way through the operators."""

    clip: Clip
    story: Story
    arrays: dict[str, NDArray]

    def to_arrow(self) -> pa.Table:
        """A table of one row."""
        layout = [(name, array.dtype.str, array.shape) for name, array in self.arrays.items()]
        contiguous = [np.ascontiguousarray(array) for array in self.arrays.values()]
        # Every array begins on a line of its own: compiled code is slower on views that are not aligned.
        offsets = np.cumsum([0, *(-(-array.nbytes // LINE) * LINE for array in contiguous)])
        data = np.empty(offsets[-1], np.uint8)
        for array, start in zip(contiguous, offsets[:-1], strict=True):
            data[start : start + array.nbytes] = array.reshape(-1).view(np.uint8)
        buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(data)]
        values = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(contiguous), buffers)
        return pa.table(
            [
                [json.dumps(asdict(self.clip))],
                [json.dumps(asdict(self.story))],
                [json.dumps(layout)],
                pa.ListArray.from_arrays(pa.array([0, len(contiguous)], pa.int32()), values),
            ],
            schema=SCHEMA,
        )

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Row:
        """The inverse of ``to_arrow``; arrays are views of the table's memory."""
        story = json.loads(table["story"][0].as_py())
        failure = Failure(**story["failure"]) if story["failure"] else None
        values = next(chunk for chunk in table["buffers"].chunks if len(chunk))[0].values
        arrays: dict[str, NDArray] = {}
        if len(values):
            offsets = np.frombuffer(values.buffers()[1], np.int64)[values.offset :]
            for (name, dtype, shape), start in zip(json.loads(table["arrays"][0].as_py()), offsets, strict=False):
                count = int(np.prod(shape))
                arrays[name] = np.frombuffer(values.buffers()[2], np.dtype(dtype), count, int(start)).reshape(shape)
        return cls(
            Clip.from_row(json.loads(table["clip"][0].as_py())),
            Story(story["costs"], failure, story["audits"], story["places"], story["met"]),
            arrays,
        )

    @property
    def num_bytes(self) -> int:
        """What the arrays weigh in the object store."""
        return sum(array.nbytes for array in self.arrays.values())


def split(table: pa.Table) -> list[Row]:
    """The rows of a batch."""
    return [Row.from_arrow(table.slice(i, 1)) for i in range(len(table))]


def join(rows: list[Row]) -> pa.Table:
    """A batch of rows."""
    return pa.concat_tables([row.to_arrow() for row in rows])
