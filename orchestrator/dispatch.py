"""The one door to Celery. A message says "there is work" and nothing else: losing or doubling it is harmless."""

import logging

from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def wake_on_commit(lane: str = "default") -> None:
    """Wakes a worker once the caller's transaction is there for it to see."""
    transaction.on_commit(lambda: wake(lane))


def wake(lane: str = "default") -> None:
    """Publishing is best effort: without a broker the sweeper finds the work."""
    from .jobs import work, work_slowly

    try:
        (work_slowly if lane == "ocr" else work).apply_async(retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("no worker was woken (%s); the sweeper will", error)
