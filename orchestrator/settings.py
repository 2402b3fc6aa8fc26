"""Settings, all of them read from the environment. README.md lists each with its default."""

import sys
from decimal import Decimal
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env("VAR_DIR", default=str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=False)
DEFAULT_SECRET_KEY = "only-for-a-laptop-set-SECRET_KEY-in-production"  # noqa: S105 - refused below
SECRET_KEY = env("SECRET_KEY", default=DEFAULT_SECRET_KEY)
LOOPBACK_HOSTS = ["127.0.0.1", "localhost"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=LOOPBACK_HOSTS)
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "guardian",
    "csp",
    "audit",
    "orchestrator",
    "reviews",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "orchestrator.pages.caching.NothingIsKept",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "orchestrator.pages.language.Language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "orchestrator.pages.errors.TryAgain",
]

ROOT_URLCONF = "orchestrator.urls"
WSGI_APPLICATION = "orchestrator.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",  # a read that becomes a write would otherwise fail with "database is locked"
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# Pages and workers wait for nobody long: a row that somebody holds too long is a "try again", a process that froze in a
# transaction loses its locks. A command is watched by whoever called it, and takes the time it takes. Compiling a plan
# (`jit`) takes longer than any answer a page may wait for.
DATABASE_LIMITS = env.dict(
    "DATABASE_LIMITS",
    default={
        "statement_timeout": "5s",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "jit": "off",
    },
)
IS_COMMAND = Path(sys.argv[0]).stem in ("manage", "django-admin")
POSTGRES_OPTIONS: dict[str, object] = {"server_side_binding": True, "prepare_threshold": 2}
if DATABASE_LIMITS and not IS_COMMAND:
    POSTGRES_OPTIONS["options"] = " ".join(f"-c {name}={value}" for name, value in DATABASE_LIMITS.items())
DATABASE = env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'countersign.sqlite3'}")
USES_SQLITE = DATABASE["ENGINE"].endswith("sqlite3")
DATABASE["OPTIONS"] = {**(SQLITE_OPTIONS if USES_SQLITE else POSTGRES_OPTIONS), **DATABASE.get("OPTIONS", {})}
DATABASE["CONN_MAX_AGE"] = None
DATABASE["CONN_HEALTH_CHECKS"] = True  # a restarted database costs a new connection, not an error page
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["orchestrator.backends.PeopleBackend", "guardian.backends.ObjectPermissionBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None  # guardian: nobody anonymous has permissions here
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/queue/"
LOGOUT_REDIRECT_URL = LOGIN_URL
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# Naming the header by which a proxy reports TLS declares that people come over https, and only so.
SECURE_PROXY_HEADER = env("SECURE_PROXY_HEADER", default="")  # as Django spells it: HTTP_X_FORWARDED_PROTO
BEHIND_TLS = bool(SECURE_PROXY_HEADER)
SECURE_PROXY_SSL_HEADER = (SECURE_PROXY_HEADER, "https") if BEHIND_TLS else None
SECURE_SSL_REDIRECT = BEHIND_TLS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # probes come from inside, without TLS
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000 if BEHIND_TLS else 0)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=BEHIND_TLS)
# Subdomains and the browsers' preload list belong to the owner of the whole domain, not to one service in it.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "report-uri": "/csp/",
    }
}

LANGUAGE_CODE = "en-gb"  # what the source is written in
LOCALE_DIR = BASE_DIR / "orchestrator" / "locale"  # the one catalogue of each language, for every app
LOCALE_PATHS = [LOCALE_DIR]
CATALOGUES = sorted(path.parts[-3] for path in LOCALE_DIR.glob("*/LC_MESSAGES/django.mo"))
LANGUAGES = [("en-gb", "English"), *((code, LANG_INFO[code]["name_local"]) for code in CATALOGUES)]
FORMAT_MODULE_PATH = ["orchestrator.formats"]
TIME_ZONE = env("TIME_ZONE", default="UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns where it is missing, though its finders need nothing there
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

DOCUMENT_DIR = Path(env("DOCUMENT_DIR", default=str(VAR_DIR / "documents")))
DOCUMENT_MAX_BYTES = env.int("DOCUMENT_MAX_BYTES", default=25_000_000)
DOCUMENTS_PER_DAY = env.int("DOCUMENTS_PER_DAY", default=5_000)  # of one person; 0: no limit
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FILES = 500  # of one request; the form that takes several files says its own limit
BASE_CURRENCY = env("BASE_CURRENCY", default="EUR")
SUBMISSIONS_PER_MINUTE = env.int("SUBMISSIONS_PER_MINUTE", default=1200)
DECISIONS_PER_MINUTE = env.int("DECISIONS_PER_MINUTE", default=90)
REVIEWER_HOUR_COST = Decimal(env("REVIEWER_HOUR_COST", default="0"))  # in BASE_CURRENCY; 0: nobody has said
METRICS_TOKEN = env("METRICS_TOKEN", default="")
ERP_BASE_URL = env("ERP_BASE_URL", default="")

# Celery carries one message, "there is work"; the database holds every fact.
REDIS_URL = env("REDIS_URL", default="")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False  # LOGGING below is in force in workers too
CELERY_TASK_DEFAULT_QUEUE = "engine"
# A worker that is told no queue serves both; `serve` gives the slow one a worker of its own.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in ("engine", "ocr")]
CELERY_TASK_ROUTES = {name: {"queue": "ocr"} for name in ("countersign.work_slowly", "countersign.deliver")}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_DB_REUSE_MAX = 10**9  # otherwise the fix-up closes the database connection around every job
CELERY_TIMEZONE = "UTC"
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {"visibility_timeout": 90}
else:
    BROKER_DIR = VAR_DIR / "broker"
    BROKER_DIR.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_URL = "filesystem://localhost"  # the name says nothing; without one kombu warns
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR),
        "data_folder_out": str(BROKER_DIR),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.05,
    }
CELERY_BEAT_SCHEDULE = {"sweep": {"task": "countersign.sweep", "schedule": 15.0}}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

# Kinds of step, by dotted path: orchestrator never imports reviews.
STEP_HANDLERS = {
    "agent": "orchestrator.steps.agent.AgentStep",
    "effect": "orchestrator.steps.effect.EffectStep",
    "join": "orchestrator.steps.join.JoinStep",
    "review": "reviews.steps.ReviewStep",
    "timer": "orchestrator.steps.timer.TimerStep",
    "wait": "orchestrator.steps.wait.WaitStep",
    "workflow": "orchestrator.steps.subworkflow.SubworkflowStep",
    "for_each": "orchestrator.steps.for_each.ForEachStep",
    "gate": "orchestrator.steps.gate.GateStep",
    "record": "orchestrator.steps.record.RecordStep",
}
# What the sweeper looks after besides the engine's own tasks: {name: dotted path of a function returning a count}.
SWEEPERS = {
    "overdue_reviews": "reviews.services.sweep_reviews",
    "measured": "reviews.measured.sweep",
    "waits": "orchestrator.waits.sweep",
    "admissions": "orchestrator.admission.sweep",
    "families": "orchestrator.family.sweep",
    "webhooks": "orchestrator.webhooks_out.sweep",
    "mail": "reviews.mail.sweep",
}
# What sends things out of the house: dotted paths of functions that send some of what is due and return how much.
DELIVERERS = ["orchestrator.webhooks_out.deliver", "reviews.mail.deliver"]
# What an app above adds to the API, to the run document and to the checks, each by dotted path.
API_ROUTERS = {"/reviews": "reviews.api.router", "/decisions": "reviews.api.decisions_router"}
RUN_DOCUMENT_PARTS = {"reviews": "reviews.run_part.reviews_of"}
INVARIANTS = ["orchestrator.lateness.INVARIANTS", "reviews.invariants.INVARIANTS"]
METRICS = ["reviews.metrics.gauges"]
POLICY_CHECKS = ["reviews.coverage.uncovered"]
AGENT_MODULES = [
    "orchestrator.agents.invoices",
    "orchestrator.agents.vendors",
    "orchestrator.agents.payments",
    "orchestrator.agents.expenses",
]
QUEUE_NAMES = "reviews.services.queue_names"
AUDIT_VISIBLE_SCOPES = "orchestrator.permissions.visible_scopes"
KEPT_BACK = "reviews.recommending.kept_back"  # which parts of a run's data a person may not see yet

EMAIL_CONFIG = env.email_url("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env("EMAIL_FROM", default="countersign@localhost")
DIGEST_HOUR = env.int("DIGEST_HOUR", default=7)
PUBLIC_URL = env("PUBLIC_URL", default="http://127.0.0.1:8000")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="WARNING")},
}

# A laptop is SQLite, answering itself; whatever else runs without DEBUG holds other people's money.
ON_A_LAPTOP = USES_SQLITE and set(ALLOWED_HOSTS) <= set(LOOPBACK_HOSTS)
if SECRET_KEY == DEFAULT_SECRET_KEY and not (DEBUG or ON_A_LAPTOP):
    raise ImproperlyConfigured(
        "SECRET_KEY: the default is known to everyone and is refused in production (another database than SQLite, "
        "or ALLOWED_HOSTS beyond this machine); set 50 random characters or more, kept secret."
    )
