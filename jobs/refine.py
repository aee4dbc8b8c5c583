"""Full work where a query finds something, for `ray job submit -- python jobs/refine.py OUT QUERY`: as `vss refine`."""

import sys

from vss_ray.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "refine")
    main()
