"""Distributed offline semantic segmentation of video archives on Ray."""

__version__ = "0.1.0"
