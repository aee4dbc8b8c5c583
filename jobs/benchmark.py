"""Speed, side by side, for `ray job submit -- python jobs/benchmark.py ...`: the same as `vss benchmark`."""

import sys

from vss_ray.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "benchmark")
    main()
