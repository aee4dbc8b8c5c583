"""Objects through whole videos, for `ray job submit -- python jobs/track.py SOURCE OUT --init FILE`: as `vss track`."""

import sys

from vss_ray.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "track")
    main()
