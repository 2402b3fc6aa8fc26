"""The admin of reviews, by subject."""

from . import control, queues

__all__ = ["control", "queues"]
