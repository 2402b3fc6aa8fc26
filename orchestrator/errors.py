"""What a service refuses. Each error makes its own message, for whoever asked."""

from collections.abc import Sequence

from django.utils.translation import gettext


class ServiceError(Exception):
    """Base of what a service refuses."""


class InputInvalid(ServiceError):
    """Input that does not fit. `errors` is every objection, as (field, message)."""

    def __init__(self, errors: Sequence[tuple[str, str]]):
        self.errors = list(errors)
        super().__init__("; ".join(f"{field}: {message}" for field, message in self.errors))


class UnknownWorkflow(ServiceError):
    """No such workflow can be started."""

    def __init__(self, name: str):
        super().__init__(gettext("workflow: %(name)r is not published, or switched off") % {"name": name})


class KeyReused(ServiceError):
    """The idempotency key was used before with another request."""

    def __init__(self, key: str):
        super().__init__(gettext("Idempotency-Key: %(key)r was used before with another body") % {"key": key})


class Conflict(ServiceError):
    """It is too late for that; the message says what is the case now."""


class SecondPersonNeeded(ServiceError):
    """Whoever did the first half may not do the second as well; the message says what each half is."""
