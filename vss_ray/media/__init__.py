"""Video files through PyAV; knows no model."""
