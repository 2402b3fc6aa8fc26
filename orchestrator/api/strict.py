"""What is read strictly: JSON that can be read in one way only, and parameters that the call knows.

Refused are duplicate keys, NaN and numbers beyond a double, lone surrogates and NUL characters, nesting beyond
MAX_DEPTH and more than MAX_VALUES values, other media types, compressed bodies, repeated and unknown parameters.
"""

import inspect
import json
import math
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.http.response import HttpResponseBase
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext
from ninja.parser import Parser

from orchestrator.text import is_storable

from .errors import NOT_FOUND, ApiError, invalid, problem

MAX_DEPTH = 40
MAX_VALUES = 50_000
FORM_OVERHEAD = 100_000  # bytes of a multipart body around the file itself
View = Callable[..., HttpResponseBase]


class StrictParser(Parser):
    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise ApiError(415, _expected(request, "application/json"))
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise ApiError(415, gettext("Content-Encoding: expected none"))
        return read_json(request.body)

    def parse_querydict(self, data: MultiValueDict, list_fields: list[str], request: HttpRequest) -> dict[str, Any]:
        is_upload = not isinstance(data, QueryDict)
        if is_upload and request.content_type != "multipart/form-data":
            raise ApiError(415, _expected(request, "multipart/form-data"))
        return super().parse_querydict(data, list_fields, request)


def _expected(request: HttpRequest, kind: str) -> str:
    given = request.content_type or gettext("none")
    return gettext("Content-Type: %(given)s; expected %(kind)s") % {"given": given, "kind": kind}


def read_json(body: bytes) -> Any:
    """The value of a JSON text (RFC 8259), strictly. ApiError 400 says what is wrong with it."""
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant, parse_float=_number
        )
    except RecursionError:
        raise ApiError(400, gettext("body: nested more than %(most)s deep") % {"most": MAX_DEPTH}) from None
    except ValueError as error:
        raise ApiError(400, gettext("body: no JSON that can be read: %(error)s") % {"error": error}) from None
    _bounded(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(gettext("the key %(key).80r stands there twice") % {"key": twice})
    return found


def _constant(text: str) -> Any:
    raise ValueError(gettext("%(text)s is no JSON") % {"text": text})


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(gettext("%(text).40s is larger than any number that is taken") % {"text": text})
    return number


def _bounded(value: Any) -> None:
    """Level by level, so that no depth of nesting costs a stack."""
    level, depth, seen = [value], 0, 0
    while level:
        depth, seen = depth + 1, seen + len(level)
        if depth > MAX_DEPTH:
            raise ApiError(400, gettext("body: nested more than %(most)s deep") % {"most": MAX_DEPTH})
        if seen > MAX_VALUES:
            raise ApiError(400, gettext("body: more than %(most)s values") % {"most": MAX_VALUES})
        level = [inner for item in level for inner in _inside(item)]


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, str):
        _check_text(item)
    if isinstance(item, dict):
        for key in item:
            _check_text(key)
        return item.values()
    return item if isinstance(item, list) else ()


def _check_text(text: str) -> None:
    if not is_storable(text):
        raise ApiError(400, gettext("body: text with a NUL character or half a character (a lone surrogate)"))


def known_parameters(view: Callable[..., Any]) -> Callable[..., Any]:
    """Refuses query parameters that the call does not take, or that are given twice: nothing is silently ignored."""
    known = set(inspect.signature(view).parameters) - {"request"}

    @wraps(view)
    def checked(request: HttpRequest, **values: Any) -> Any:
        found = [objection for name, given in request.GET.lists() for objection in _unfit(name, given, known)]
        if found:
            raise invalid(*found)
        return view(request, **values)

    return checked


def _unfit(name: str, given: list[str], known: set[str]) -> Iterable[tuple[str, str]]:
    if name not in known:
        yield name, gettext("is no parameter of this call")
    elif len(given) > 1:
        yield name, gettext("is given %(count)s times; expected once") % {"count": len(given)}
    elif not is_storable(given[0]):
        yield name, gettext("holds a character that no text has")


def guarded(view: View) -> View:
    """Around a whole view: bodies too large are refused unread, and refusals of the framework get our form."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **values: Any) -> HttpResponseBase:
        most = settings.DOCUMENT_MAX_BYTES + FORM_OVERHEAD
        if int(request.META.get("CONTENT_LENGTH") or 0) > most:
            return problem(413, gettext("body: larger than %(most)s bytes") % {"most": most})
        try:
            response = view(request, *args, **values)
        except Http404:  # the root of the API is an address, and nothing is there
            return problem(404, str(NOT_FOUND))
        return _not_allowed(response) if isinstance(response, HttpResponseNotAllowed) else response

    return answer


def _not_allowed(response: HttpResponse) -> HttpResponse:
    told = problem(405, gettext("This address takes %(methods)s.") % {"methods": response["Allow"]})
    told["Allow"] = response["Allow"]
    return told
