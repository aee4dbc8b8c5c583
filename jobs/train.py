"""Train a network, for `ray job submit -- python jobs/train.py ...`: the same as `vss train`."""

import sys

from vss_ray.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
