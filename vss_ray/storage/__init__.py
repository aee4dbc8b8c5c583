"""Local paths, S3 and everything else fsspec reaches."""
