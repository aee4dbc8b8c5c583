"""Accuracy on a labelled drive, for `ray job submit -- python jobs/evaluate.py ...`: the same as `vss evaluate`."""

import sys

from vss_ray.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "evaluate")
    main()
