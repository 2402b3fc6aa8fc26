"""What the outside really offers, tried with effects of the kind `countersign.check`, which it may throw away: the same
key twice, the same key with another body, asking for it. What it shows sets the class; documentation does not."""

import uuid
from dataclasses import dataclass

from orchestrator.digests import digest
from orchestrator.models import ConnectorCheck

from .http import HttpConnector
from .outbound import AddressRefused, NoAnswer

KIND = "countersign.check"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried, what was expected and what came."""

    what: str
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        return self.found == self.expected


def check(connector: HttpConnector) -> tuple[str, list[Finding]]:
    """(class, findings), kept for this address. AddressRefused, NoAnswer where it cannot be tried at all."""
    findings = try_out(connector)
    klass = class_of(findings)
    detail = [{"what": f.what, "expected": f.expected, "found": f.found} for f in findings]
    ConnectorCheck.objects.create(base_url=connector.base_url, klass=klass, detail=detail)
    return klass, findings


def try_out(connector: HttpConnector) -> list[Finding]:
    key, payload = f"countersign-check-{uuid.uuid4().hex[:20]}", {"amount": "1.00", "purpose": "conformance"}
    status, first = connector.post(KIND, key, key, payload)
    findings = [Finding("first", "201 with a ref", f"{status} with {'a ref' if first.get('ref') else 'no ref'}")]
    status, again = connector.post(KIND, key, key, payload)
    same = "the same ref" if again.get("ref") == first.get("ref") and first.get("ref") else "another ref"
    findings.append(Finding("same key", "200 with the same ref", f"{status} with {same}"))
    status, _ = connector.post(KIND, key, key, {**payload, "amount": "2.00"})
    findings.append(Finding("same key, other body", "409", str(status)))
    findings.append(Finding("asked for", "found", asked(connector, key, first.get("ref"), digest(payload))))
    findings.append(Finding("asked for another", "404", asked(connector, key + "x", None, "")))
    return findings


def asked(connector: HttpConnector, key: str, ref: object, payload_digest: str) -> str:
    try:
        status, answer = connector.get(key)
    except (AddressRefused, NoAnswer) as error:
        return str(error)
    if status == 200 and answer.get("ref") == ref and answer.get("payload_digest") in (None, payload_digest):
        return "found"
    return str(status)


def class_of(findings: list[Finding]) -> str:
    """K where a key is recognised and guarded, Q where it can at least be asked for, else X."""
    good = {finding.what for finding in findings if finding.ok}
    if {"first", "same key", "same key, other body"} <= good:
        return "K"
    return "Q" if {"asked for", "asked for another"} <= good else "X"
