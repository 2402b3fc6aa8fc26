"""The product's settings, with a database in a file (so that real worker processes see it) and cheap passwords."""

from orchestrator.settings import *  # noqa: F403
from orchestrator.settings import DATABASES, VAR_DIR

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
else:  # a test is one transaction, however busy the machine is; processes that tests start keep the product's limits
    DATABASES["default"]["OPTIONS"]["options"] = "-c lock_timeout=2s"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

AGENT_MODULES = [*AGENT_MODULES, "tests.engine_agents"]  # noqa: F405
