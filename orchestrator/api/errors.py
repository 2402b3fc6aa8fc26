"""What the API answers instead of "done": one form for every refusal, whoever makes it."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from orchestrator import services
from orchestrator.pacing import RETRY_SECONDS
from orchestrator.unfit import unfit
from orchestrator.words import later as _

logger = logging.getLogger(__name__)

CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}
E = TypeVar("E", bound=Exception)
NOT_FOUND = _("There is nothing here that you may see.")


class ApiError(Exception):
    """A refusal: HTTP status, message for whoever called, and [(field, message)] where fields are to blame."""

    def __init__(self, status: int, message: str, errors: Sequence[tuple[str, str]] = (), *, code: str = ""):
        super().__init__(message)
        self.status, self.errors, self.code = status, list(errors), code or CODES[status]


def problem(status: int, message: str, errors: Sequence[tuple[str, str]] = (), *, code: str = "") -> HttpResponse:
    """The answer that carries a refusal."""
    return refusal(
        status,
        {
            "code": code or CODES.get(status, "error"),
            "message": message,
            "errors": [{"field": field, "message": text} for field, text in errors],
        },
    )


def refusal(status: int, body: dict[str, Any]) -> HttpResponse:
    response = JsonResponse(body, status=status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"  # RFC 6750, section 3
    if status == 429:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def invalid(*errors: tuple[str, str]) -> ApiError:
    return ApiError(422, "; ".join(f"{field}: {message}" for field, message in errors), errors)


def answer_with(api: NinjaAPI, kind: type[E], answer: Callable[[HttpRequest, E], HttpResponse]) -> None:
    """Registers `answer` for errors of this kind."""
    api.add_exception_handler(kind, answer)  # type: ignore[arg-type]  # its type also wants to be given the class


def handle(api: NinjaAPI) -> None:
    """Gives `api` an answer to every exception."""
    answer_with(api, ApiError, _refused)
    answer_with(api, HttpError, _http_error)
    answer_with(api, ValidationError, _unfit)
    answer_with(api, Http404, lambda request, error: problem(404, str(NOT_FOUND)))
    answer_with(api, RequestDataTooBig, lambda request, error: problem(413, gettext("body: larger than is taken")))
    answer_with(api, SuspiciousOperation, lambda request, error: problem(400, gettext("The request cannot be read.")))
    answer_with(api, services.InputInvalid, lambda request, error: problem(422, str(error), error.errors))
    answer_with(api, services.UnknownWorkflow, lambda request, error: problem(404, str(NOT_FOUND)))
    answer_with(api, services.KeyReused, _key_reused)
    answer_with(api, services.Conflict, lambda request, error: problem(409, str(error)))
    answer_with(api, OperationalError, _unavailable)
    answer_with(api, InternalError, _unavailable)
    answer_with(api, Exception, _failed)


def _refused(request: HttpRequest, error: ApiError) -> HttpResponse:
    return problem(error.status, str(error), error.errors, code=error.code)


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    if isinstance(error.__cause__, ApiError):  # how the framework passes on what a parser raises
        return _refused(request, error.__cause__)
    if error.status_code == 401:
        return problem(401, gettext("Authorization: expected 'Bearer TOKEN' with a token that is valid"))
    return problem(error.status_code, str(error))


def _unfit(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [(_field(found["loc"]), unfit(found)) for found in error.errors]
    return problem(422, "; ".join(f"{field}: {message}" for field, message in errors), errors)


def _field(place: Sequence[str | int]) -> str:
    """`("body", "body", "documents", 0)` is `documents.0`, `("query", "status")` is `status`."""
    inner = place[2:] if place[0] == "body" else place[1:]
    return ".".join(map(str, inner)) or "body"


def _key_reused(request: HttpRequest, error: services.KeyReused) -> HttpResponse:
    return problem(
        422, str(error), [("Idempotency-Key", gettext("was used before with another body"))], code="key_reused"
    )


def _unavailable(request: HttpRequest, error: OperationalError | InternalError) -> HttpResponse:
    logger.exception("the database did not answer")
    response = problem(503, gettext("The database does not answer. Send the same request again."))
    response["Retry-After"] = "5"
    return response


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    logger.exception("%s %s failed", request.method, request.path)
    return problem(500, gettext("Something went wrong on our side; it has been noted."))
