"""In which language a page speaks: the one the person chose, else what their browser asks for. Only languages with a
catalogue are offered. What programs read, and whatever is stored, stays in the language of the source; of what the API
answers, the sentences of a refusal follow what the caller asks for."""

from django.conf import settings
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

CHOSEN = "language"  # in the session
API = "/api/"
FOR_PROGRAMS = ("/hooks/", "/metrics", "/healthz", "/readyz")


class Language(LocaleMiddleware):
    """Django's, asking the session first."""

    def process_request(self, request: HttpRequest) -> None:
        translation.activate(language_for(request))
        request.LANGUAGE_CODE = translation.get_language()


def language_for(request: HttpRequest) -> str:
    if request.path.startswith(FOR_PROGRAMS):
        return settings.LANGUAGE_CODE
    if request.path.startswith(API):
        return translation.get_language_from_request(request)
    chosen = request.session.get(CHOSEN, "")
    return chosen if chosen in dict(settings.LANGUAGES) else translation.get_language_from_request(request)
