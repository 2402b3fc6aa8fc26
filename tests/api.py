"""A program that calls the API with a token, as one outside would."""

import json
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audit.log import SYSTEM
from orchestrator.tokens import issue_token

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


class Caller:
    """Calls as `user`; without one, or with `secret`, as whoever the token says."""

    def __init__(self, user: Any = None, secret: str = ""):
        self.secret = secret or (issue_token(user=user, actor=SYSTEM)[0] if user else "")
        self.client = Client(raise_request_exception=False)

    def headers(self, **more: str) -> dict[str, str]:
        return ({"Authorization": f"Bearer {self.secret}"} if self.secret else {}) | more

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query, headers=self.headers())

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.raw(path, b"" if body is None else json.dumps(body).encode(), **headers)

    def raw(self, path: str, body: bytes, content_type: str = "application/json", **headers: str) -> Any:
        return self.client.post(f"/api/v1/{path}", body, content_type=content_type, headers=self.headers(**headers))

    def upload(self, data: bytes = PDF, name: str = "invoice.pdf", **more: Any) -> Any:
        parts = {"file": SimpleUploadedFile(name, data), **more}
        return self.client.post("/api/v1/documents", parts, headers=self.headers())


def fields(response: Any) -> list[str]:
    """The fields a refusal blames. Every refusal has the same form."""
    body = response.json()
    assert body["code"]
    assert body["message"]
    return [error["field"] for error in body["errors"]]
