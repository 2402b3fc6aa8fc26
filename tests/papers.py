"""Cases about documents, made to measure: what was read, where it stands, what differs, on as many pages as wanted."""

import copy
from typing import Any

from pydantic import BaseModel

from audit.log import database_now
from orchestrator import services
from orchestrator.agents.base import AgentContext, Result, agent, quote
from orchestrator.documents.layout import PageText, PageWord
from orchestrator.documents.page_store import keep_pages
from orchestrator.documents.reading import Passage
from orchestrator.documents.store import store_document
from orchestrator.models import Document
from reviews.models import Review
from tests.cast import Cast, open_review_of, work
from tests.reading_papers import Sheet, pdf

from .cast import second_admin

WORKFLOW = """
workflow: check-papers
title: Check papers
input: {document: document, found: string}
subject: "{read.invoice.seller.name} {read.invoice.invoice_number}"
business_key: "{vendor.vendor_id}/{read.invoice.invoice_number}"
policies: bills
facts:
  stops: read.stops
  flagged: vendor.flagged
  checked: vendor.flagged
  amount_base: {money: read.invoice.payable, currency: read.invoice.currency}
steps:
  read: {agent: papers.read}
  vendor: {agent: papers.vendor, needs: [read]}
  approve: {review: clerks, needs: [vendor]}
  pay: {effect: erp.pay_invoice, needs: [approve]}
"""
FOUND: dict[str, dict[str, Any]] = {}  # what a test says was read, by the document it was read from
LINE = 0.02  # height of a line, as a share of the page


class GivenPapers(BaseModel):
    input: dict


class ReadPapers(BaseModel):
    document: str
    readable: bool = True
    refusal: str = ""
    invoice: dict
    reading: dict
    discrepancies: list = []
    checks: list = []
    stops: int = 1


class GivenRead(BaseModel):
    read: dict


class PaperVendor(BaseModel):
    vendor_id: str = "V1"
    name: str
    flagged: bool = False


@agent("papers.read", version="1")
def read(case: GivenPapers, ctx: AgentContext) -> Result[ReadPapers]:
    """What the test says was read."""
    found = copy.deepcopy(FOUND[case.input["found"]])
    document = ctx.document("document")
    quotes = [quote(document, Passage(page=1, quote=words)) for words in found.pop("quotes", ())]
    rationale = found.pop("rationale", "")
    return Result(ReadPapers(document=str(document.id), **found), 0.9, rationale, quotes)


@agent("papers.vendor", version="1")
def vendor(case: GivenRead, ctx: AgentContext) -> Result[PaperVendor]:
    return Result(PaperVendor(name=case.read["invoice"]["seller"]["name"]), 0.9)


def text_pages(lines_by_page: list[list[str]]) -> list[PageText]:
    """Pages with one box for every word, a line under the other."""
    return [_page(number, lines) for number, lines in enumerate(lines_by_page, 1)]


def _page(number: int, lines: list[str]) -> PageText:
    words = []
    for row, line in enumerate(lines):
        top = round(0.04 + row * LINE, 4)
        for column, word in enumerate(line.split()):
            left = round(0.05 + column * 0.09, 4)
            words.append(PageWord(text=word, box=(left, top, round(min(left + 0.08, 0.99), 4), round(top + 0.015, 4))))
    return PageText(number=number, width=595, height=842, words=words, text="\n".join(lines))


def passage(page: int, row: int, words: str) -> dict[str, Any]:
    """Where a line of text_pages() stands."""
    top = round(0.04 + row * LINE, 4)
    return {"page": page, "line": None, "box": [0.05, top, 0.5, round(top + 0.015, 4)], "quote": words}


def value(said: str, *passages: dict[str, Any], confidence: float = 0.97) -> dict[str, Any]:
    return {"value": said, "confidence": confidence, "passages": list(passages), "readings": {"page": said}}


def found(
    *,
    seller: str = "Kestrel Bearings",
    number: str = "KB-1",
    amount: str = "100.00",
    fields: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """What papers.read hands on; `fields` are shown beside the three that are always there."""
    invoice = {"invoice_number": number, "payable": amount, "currency": "EUR", "iban": "DE89370400440532013000"}
    plain = {"invoice_number": value(number), "payable": value(amount), "seller.name": value(seller)}
    extra = {name: item["value"] for name, item in (fields or {}).items() if "." not in name}
    invoice |= {"seller": {"name": seller}, "due_date": None, "order_reference": None, **extra}
    return {"invoice": invoice, "reading": {"fields": {**plain, **(fields or {})}, "lines": []}, **more}


def difference(number: int, *passages: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {"kind": "clause", "severity": "stop", "title": f"Clause {number}", "message": f"Clause {number} is risky"}
    return {**base, "line": None, "pointer": None, "options": [], "passages": list(passages), **more}


def paper_case(everybody: Cast, pages: list[list[str]], said: dict[str, Any], **stored: Any) -> Review:
    """The open review of a run about a PDF with these lines on its pages."""
    if not services_published():
        services.save_workflow(source=WORKFLOW, actor=everybody.admin, second=second_admin())
    document = store_paper(everybody, pages, **stored)
    FOUND[key := str(document.pk)] = said
    given = {"found": key}
    run, _ = services.start_run(
        workflow="check-papers", input=given, actor=everybody.requester, documents={"document": document}
    )
    work()
    return open_review_of(run)


def services_published() -> bool:
    from orchestrator.models import Workflow

    return Workflow.objects.filter(name="check-papers").exists()


def store_paper(everybody: Cast, pages: list[list[str]], name: str = "paper.pdf", data: bytes = b"") -> Document:
    """A PDF whose pages are kept as if they had been read. The file itself has the first lines of each."""
    drawn = [[line.encode("cp1252", "replace").decode("cp1252") for line in lines[:40]] for lines in pages]
    sheets = [Sheet().rows(30, 40, [(line,) for line in lines], step=16) for lines in drawn] or [Sheet()]
    stamp = f"%{database_now():%f}{len(pages)}{name}".encode()
    document = store_document(data=data or pdf(*sheets) + b"\n" + stamp, name=name, actor=everybody.requester)
    keep_pages(document.sha256, text_pages(pages))
    Document.objects.filter(pk=document.pk).update(pages=max(len(pages), 1))
    document.refresh_from_db()
    return document
