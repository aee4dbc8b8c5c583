"""Ask a finished run, for `ray job submit -- python jobs/search.py ...`: the same as `vss search`."""

import sys

from vss_ray.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "search")
    main()
