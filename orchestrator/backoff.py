"""How long to wait before trying again. Pure."""

import random
from datetime import timedelta

from .definitions import Retry


def full_jitter(retry: Retry, attempt: int) -> timedelta:
    """A random pause up to a doubling bound, so that many failures do not return together (Brooker, "Exponential
    Backoff And Jitter", AWS 2015). `attempt` counts from 1."""
    bound = min(retry.cap_seconds, retry.backoff_seconds * 2 ** (attempt - 1))
    return timedelta(seconds=random.uniform(0, bound))  # noqa: S311 (no secret)
