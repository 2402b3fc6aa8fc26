"""The API under /api/v1/: the same services as the pages, for programs. The URL configuration builds it, once: the
routers it takes from the apps above import this package."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI, Router

from . import documents, runs, trail, workflows
from .auth import Bearer
from .errors import NOT_FOUND, handle, problem
from .strict import StrictParser, guarded, known_parameters

__all__ = ["build", "not_found"]


class Api(NinjaAPI):
    @property
    def urls(self) -> Any:
        """The framework's views, each inside `guarded`."""
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            pattern.callback = csrf_exempt(guarded(pattern.callback))
        return patterns, app_name, namespace


def build() -> Api:
    """The API with every router; its `urls` go into the URL configuration."""
    made = Api(
        title="Countersign",
        version="1",
        description="Runs, documents, reviews and their trail. Authorization: Bearer TOKEN.",
        auth=Bearer(),
        parser=StrictParser(),
        docs_url=None,
        urls_namespace="api-1",
    )
    handle(made)
    made.add_decorator(known_parameters)
    own = {"/documents": documents, "/runs": runs, "/trail": trail, "/workflows": workflows}
    routers: dict[str, Router | str] = {prefix: module.router for prefix, module in own.items()}
    for prefix, router in (routers | settings.API_ROUTERS).items():
        made.add_router(prefix, router)  # a dotted path where an app above adds its own
    return made


@csrf_exempt
def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Whatever is not a call of the API."""
    return problem(404, NOT_FOUND)
