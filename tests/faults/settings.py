"""The product's settings for processes that are to be hurt. Faults come in by an app of their own (apps.py),
which wraps functions of the product; the product itself knows nothing of them."""

from orchestrator.settings import *  # noqa: F403
from orchestrator.settings import AGENT_MODULES, CELERY_BEAT_SCHEDULE, INSTALLED_APPS, env

AGENT_MODULES = [*AGENT_MODULES, "tests.cast", "tests.faults.flow"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BEAT_SCHEDULE = {name: entry | {"schedule": 1.0} for name, entry in CELERY_BEAT_SCHEDULE.items()}

# Times in seconds, all far below those of production, in the same proportions: a trial waits for each of them.
FAULT_LEASE = 3.0
FAULT_SWEEP = 0.5
FAULT_CALL = 1.0  # the longest wait for the outside
FAULT_RETENTION = env.float("FAULT_RETENTION", default=3600.0)  # how long the outside remembers a key
FAULT_FOLDER = env("FAULT_FOLDER", default="")  # where faults are armed; empty: none ever happens
