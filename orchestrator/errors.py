"""What a service refuses. Each error makes its own message, for whoever asked."""

from collections.abc import Sequence


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
        super().__init__(f"workflow: {name!r} is not published, or switched off")


class KeyReused(ServiceError):
    """The idempotency key was used before with another request."""

    def __init__(self, key: str):
        super().__init__(f"Idempotency-Key: {key!r} was used before with another body")


class Conflict(ServiceError):
    """It is too late for that; the message says what is the case now."""


class SecondPersonNeeded(ServiceError):
    """Whoever did the first half may not do the second as well; the message says what each half is."""
