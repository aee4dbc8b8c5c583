import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vss_ray.clips import Clip
from vss_ray.cluster.rows import SCHEMA, Row, Story, join, split
from vss_ray.failures import Failure

CLIP = Clip(
    video_id="v", source="/v.mp4", size_bytes=1, width=8, height=6, rotation=0, start=3, stop=9, start_seconds=0.1,
    stop_seconds=0.3, first_pts=10, last_pts=20, origin_pts=0, seek_pts=None, num_packets=6,
)  # fmt: skip
DTYPES = st.sampled_from([np.uint8, np.int32, np.float16, np.float64])
ARRAYS = st.dictionaries(
    st.text(max_size=8), DTYPES.flatmap(lambda d: npst.arrays(d, npst.array_shapes(min_dims=1, max_dims=4, min_side=0)))
)


@given(ARRAYS)
@settings(max_examples=50, deadline=None)
def test_arrays_come_back_bit_by_bit(arrays):
    row = Row(CLIP, Story({"x": 1.5}), arrays)
    back = Row.from_arrow(row.to_arrow())
    assert back.clip == CLIP
    assert back.story == row.story
    assert list(back.arrays) == list(arrays)
    for name, array in arrays.items():
        assert back.arrays[name].dtype == array.dtype
        assert back.arrays[name].shape == array.shape
        assert back.arrays[name].tobytes() == array.tobytes()


def test_reading_copies_nothing():
    table = Row(CLIP, Story(), {"pixels": np.arange(1000, dtype=np.uint8)}).to_arrow()
    view = Row.from_arrow(table).arrays["pixels"]
    address = table["buffers"].chunk(0).values.buffers()[2].address
    assert view.__array_interface__["data"][0] == address


def test_failed_and_whole_rows_fit_into_one_block():
    failure = Failure(video_id="v", clip_id="c", source="s", stage="prepare", error="VideoError", message="m")
    rows = [Row(CLIP, Story(), {"a": np.zeros(3)}), Row(CLIP, Story(failure=failure), {})]
    table = join(rows)
    assert table.schema.equals(SCHEMA)
    assert [row.story.failure for row in split(table)] == [None, failure]
    assert pa.concat_tables([table, table]).num_rows == 4
