"""POST /hooks/<name>/: a signed event comes in."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from orchestrator import webhooks
from orchestrator.errors import InputInvalid, ServiceError


@csrf_exempt  # the signature takes the place of the token: no browser sends this
@require_POST
def receive(request: HttpRequest, name: str) -> JsonResponse:
    """202 taken; 401 not signed, too old or sent before; 413 too long; 422 not what the workflow expects."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > webhooks.MAX_BODY:
        return refused(413, "too_large", ServiceError(f"body: at most {webhooks.MAX_BODY} bytes"))
    try:
        delivery = webhooks.receive(name=name, headers=request.headers, body=request.body)
    except webhooks.SignatureRefused as error:
        return refused(401, "not_accepted", error)
    except InputInvalid as error:
        return refused(422, "invalid", error)
    except ServiceError as error:
        return refused(409, "conflict", error)
    return JsonResponse({"id": delivery.webhook_id}, status=202)


def refused(status: int, code: str, error: ServiceError) -> JsonResponse:
    errors = [{"field": field, "message": message} for field, message in getattr(error, "errors", [])]
    return JsonResponse({"code": code, "message": str(error), "errors": errors}, status=status)
