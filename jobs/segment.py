"""The main job, for `ray job submit -- python jobs/segment.py ...`: the same as `vss segment`."""

import sys

from vss_ray.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "segment")
    main()
