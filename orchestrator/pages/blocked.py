"""What a browser kept a page of ours from doing, as the Content-Security-Policy says: told to operators in the log."""

import json
import logging

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

logger = logging.getLogger(__name__)
MOST = 10_000  # bytes of a report
PARTS = ("document-uri", "effective-directive", "blocked-uri")


@csrf_exempt  # a browser reports without a token, and nothing is changed
@require_POST
def blocked(request: HttpRequest) -> HttpResponse:
    """Only of people who have signed in: nobody else fills the log."""
    if request.user.is_authenticated and (said := told(request)):
        logger.warning("page %r: %r has blocked %r, for user %s", *said, request.user.pk)
    return HttpResponse(status=204)


def told(request: HttpRequest) -> list[str]:
    """Page, directive and address of a report; empty where it is none."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST:
        return []
    try:
        report = json.loads(request.body)["csp-report"]
        return [str(report[part])[:200] for part in PARTS]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []
