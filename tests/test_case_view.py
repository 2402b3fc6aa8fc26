"""The left and middle panes of a case: why it stopped, what is quoted and whether it stands, and long documents."""

import gzip
import io
import re

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from PIL import Image

from audit.log import Actor, record
from orchestrator.documents.render import MAX_PICTURE, as_webp
from orchestrator.effects import shown
from orchestrator.models import Document
from reviews import services as reviews
from reviews.choices import MOST_PEOPLE
from reviews.earlier import earlier_runs
from reviews.lookalikes import objections, visible
from reviews.models import Measured, Queue, Review
from reviews.packet import build_packet
from reviews.passages import locate
from tests.cast import answer, bill, cast, group, open_review_of, paid_bill, waiting_bill, work
from tests.desk import MOST_NODES, case_url, nodes_of, signed_in, text_of
from tests.papers import difference, found, paper_case, passage, value

pytestmark = pytest.mark.django_db
LOREM = "The parties agree that nothing in this clause limits what the law gives either of them beyond it"


@pytest.fixture
def everybody(settings, tmp_path):
    settings.DOCUMENT_DIR = tmp_path / "documents"
    cache.clear()
    return cast()


def page_of(everybody, review, query="", name="clerk"):
    response = signed_in(getattr(everybody, name)).get(case_url(review) + query)
    assert response.status_code == 200
    return text_of(response)


def words_of(page, start, end="</section>"):
    """The text of a part of a page."""
    part = page[page.index(start) :]
    return " ".join(re.sub(r"<[^>]+>", " ", part[: part.index(end)]).split())


def long_contract(count, marked=(), rows=40):
    """Pages of running text, and a marked clause on some of them."""
    pages = [[f"{n}.{row} {LOREM}" for row in range(rows)] for n in range(1, count + 1)]
    found_ = []
    for n, page in enumerate(marked, 1):
        pages[page - 1][1] = f"Liability {n} is not limited in any way whatsoever"
        found_.append(difference(n, passage(page, 1, pages[page - 1][1])))
    return pages, found_


# Why


def test_a_rule_is_told_with_its_values_its_limits_and_in_currency(everybody):
    review = waiting_bill(everybody, amount="60000.00", differences=0)
    why = words_of(page_of(everybody, review), 'id="why"')
    assert "Amount base 60,000.00 EUR stops at more than 50,000.00 EUR" in why
    assert "6000000" not in why


def test_a_rule_that_could_not_be_judged_says_what_was_missing(everybody):
    review = waiting_bill(everybody, amount="100.00", currency="MYR", differences=0)
    why = words_of(page_of(everybody, review), 'id="why"')
    assert "A rule could not be judged. Amount base: no rate from MYR to EUR." in why


def test_the_smallest_change_is_told_where_one_rule_alone_stopped_it(everybody):
    review = waiting_bill(everybody, amount="21000.00", differences=0)
    why = words_of(page_of(everybody, review), 'id="why"')
    assert "Smallest change. Amount base is 21,000.00 EUR. With 20,000.00 EUR or less, this rule would not" in why


def test_a_near_miss_is_told_in_words_with_what_it_would_have_meant(everybody):
    review = waiting_bill(everybody, amount="19500.00")
    why = words_of(page_of(everybody, review), 'id="why"')
    assert "Amount base is 19,500.00 EUR. With more than 20,000.00 EUR, a person would have been asked" in why


def test_what_is_counted_is_told_without_how_many_or_less(everybody):
    review = waiting_bill(everybody)
    why = words_of(page_of(everybody, review), 'id="why"')
    assert "Smallest change. Stops: 1. With none, this rule would not have stopped it." in why


def test_a_missing_value_is_asked_about_in_words(everybody):
    assert (shown("vendor_name", None), shown("invoice_number", "")) == ("an unknown vendor", "(not known)")


def test_a_difference_leads_to_the_case_it_is_about_for_those_who_may_see_it(everybody):
    paid = paid_bill(everybody)
    names = {str(paid.run_id), paid.run.effects.get().key, "P-1"}
    assert earlier_runs(names, everybody.clerk) == dict.fromkeys(names - {"P-1"}, paid.run)
    assert earlier_runs(names, everybody.outsider) == {}


def test_how_often_people_changed_something_is_told_only_from_fifty_cases_on(everybody):
    review = waiting_bill(everybody)
    row = Measured.objects.create(workflow="pay-bills", kind="rule", actor="bills", name="differs", seen=49, held=10)
    assert "of 100 such cases" not in page_of(everybody, review)
    cache.clear()
    Measured.objects.filter(pk=row.pk).update(seen=80, held=20)
    assert "in 25 of 100 such cases, 80 cases" in page_of(everybody, review)


# Values


def test_a_value_shows_how_often_such_values_held_and_never_the_score(everybody):
    review = waiting_bill(everybody)
    page = page_of(everybody, review)
    assert "how often such values are right is not measured yet" in page
    assert "98%" not in page
    cache.clear()
    fields = {"workflow": "pay-bills", "kind": "field", "actor": "cast.read", "tenth": 9}
    Measured.objects.create(name="payable", seen=612, held=580, **fields)
    Measured.objects.create(name="seller.name", seen=49, held=49, **fields)
    values = words_of(page_of(everybody, review), 'id="vals"')
    assert "right in 94 of 100, 612 cases" in values
    assert "Seller name Kestrel Bearings one reading, not measured yet" in values.replace(
        "0 readings agree", "one reading"
    )


def test_a_quote_that_does_not_stand_in_the_document_is_said_so(everybody):
    good, bad = value("KB-1", passage(1, 0, "Invoice KB-1")), value("100.00", passage(1, 1, "Total 900.00"))
    said = found(fields={"invoice_number": good, "payable": bad})
    page = page_of(everybody, paper_case(everybody, [["Invoice KB-1", "Total 100.00"]], said))
    values = words_of(page, 'id="vals"')
    assert values.count("the quoted words do not stand in the document") == 1
    assert "1 value below quotes words" in words_of(page, 'id="why"')


def test_what_an_agent_quotes_is_checked_too(everybody):
    said = found(quotes=["Total 100.00", "Approved by the CFO"])
    page = page_of(everybody, paper_case(everybody, [["Total 100.00"]], said))
    quotes = words_of(page, "2 quotes", "</details>")
    assert "“Total 100.00” page 1 stands in the document" in quotes
    assert "“Approved by the CFO” page 1 does not stand there" in quotes


def test_markup_by_an_agent_stands_as_text_in_a_box_of_its_own(everybody):
    said = found(rationale='<button class="btn pri">Approved by the CFO</button>')
    page = page_of(everybody, paper_case(everybody, [["Invoice"]], said))
    assert '<blockquote class="quote sm">&lt;button class=&quot;btn pri&quot;&gt;Approved by the CFO' in page


@pytest.mark.parametrize(
    ("text", "shown", "objection"),
    [
        ("Kestrel\u202e sgniraeB", "Kestrel[U+202E] sgniraeB", "U+202E"),
        ("Kes\u200btrel", "Kes[U+200B]trel", "U+200B"),
        ("Kestr\u0435l", "Kestr\u0435l", "mixes Cyrillic and Latin letters"),
        ("Z" + "\u0301" * 9, "Z\u0301[+8]", "accents piled"),
        ("ＡＣＭＥ", "ＡＣＭＥ", "full-width"),
    ],
)
def test_a_name_that_is_not_what_it_looks_like_is_marked(everybody, text, shown, objection):
    assert visible(text) == shown
    assert objection in " ".join(objections(text))
    review = paper_case(everybody, [["Invoice"]], found(seller=text))
    assert review.title == f"{shown} KB-1"
    page = page_of(everybody, review)
    assert objection in words_of(page, 'id="why"')


@pytest.mark.parametrize(
    "name", ["Kestrel Bearings GmbH", "Łódź Åkesson & Søn", "Ελληνική Τράπεζα", "株式会社", "Müller-Straße 5"]
)
def test_an_ordinary_name_is_left_alone(name):
    assert visible(name) == name
    assert objections(name) == []


# Differences


def test_what_stops_comes_first_and_then_what_moves_most_money(everybody):
    options = [{"value": "100", "source": "invoice"}, {"value": "90", "source": "order"}]
    far = [{"value": "900", "source": "invoice"}, {"value": "90", "source": "order"}]
    payable = {"pointer": "/read/invoice/payable"}
    said = found(
        discrepancies=[
            difference(1, severity="note"),
            difference(2),
            difference(3, options=options, **payable),
            difference(4, options=far, pointer="/read/invoice/net_total"),
        ],
        fields={"net_total": value("900")},
    )
    review = paper_case(everybody, [["Invoice"]], said)
    assert [item["title"] for item in review.packet["differences"]] == ["Clause 4", "Clause 3", "Clause 2", "Clause 1"]
    assert [item["exposure"] for item in review.packet["differences"]] == ["810", "10", "", ""]


def test_a_difference_and_its_passages_lead_to_each_other(everybody):
    pages, differing = long_contract(3, marked=(1, 3))
    page = page_of(everybody, paper_case(everybody, pages, found(discrepancies=differing)))
    for number in (1, 2):
        assert f'<a class="no" href="#h{number}"' in page
        assert f'href="#f{number}" aria-label="Passage {number}, Clause {number}. Go to the value."' in page
        assert page.count(f'id="h{number}"') == page.count(f'id="f{number}"') == 1


# Documents


def test_pages_without_marks_are_folded_and_load_when_they_are_near(everybody):
    pages, differing = long_contract(60, marked=(20, 37))
    review, client = paper_case(everybody, pages, found(discrepancies=differing)), signed_in(everybody.clerk)
    response = client.get(case_url(review))
    page = text_of(response)
    assert re.findall(r"(\d+) pages? without marks", page) == ["18", "16", "23"]
    assert re.findall(r'id="page-(\d+)"', page) == ["1", "20", "37"]
    assert page.count('loading="lazy"') == 2
    assert len(response.content) < 60_000
    assert len(gzip.compress(response.content)) <= CASE_HTML
    for target in re.findall(r'<details class="fold gap" hx-get="([^"]*)"', page):
        first, last = map(int, target.rpartition("open=")[2].split("-"))
        opened = text_of(client.get(case_url(review) + target.replace("&amp;", "&")))
        fetched = re.findall(r'<figure class="leaf opened" id="page-(\d+)"><img[^>]* loading="lazy"', opened)
        assert fetched == [str(number) for number in range(first, last + 1)]
        assert f'<a href="{target}#page-{first}">' in page


def test_the_text_of_a_long_contract_is_folded_and_every_stretch_can_be_opened(everybody):
    pages, differing = long_contract(60, marked=(20, 37))
    review = paper_case(everybody, pages, found(discrepancies=differing))
    response = signed_in(everybody.clerk).get(case_url(review) + "?as=text")
    page = text_of(response)
    assert '<mark id="h1"><a class="no" href="#f1"' in page
    assert len(response.content) < 60_000
    assert "Page 21 of 60" not in page
    [target] = re.findall(r'href="(\?[^"#]*open=21-36)#text-21"', page)
    opened = page_of(everybody, review, target.replace("&amp;", "&"))
    assert "Page 21 of 60" in opened
    assert "36.39 The parties agree" in opened
    assert "Page 38 of 60" not in opened


def test_a_page_with_forty_marked_passages_stays_light(everybody):
    lines = [f"Clause {n} is not limited in any way" for n in range(40)]
    differing = [difference(n, passage(1, n, lines[n])) for n in range(40)]
    review = paper_case(everybody, [lines], found(discrepancies=differing))
    response = signed_in(everybody.clerk).get(case_url(review))
    assert text_of(response).count('class="hl"') == 40
    assert len(gzip.compress(response.content)) <= CASE_HTML


CASE_HTML = 12 * 1024  # bytes as gzip sends them: what the fullest case may weigh
FIRST = ["Amal", "Bruno", "Chiara", "Dmitri", "Elena", "Farid", "Greta", "Hiroshi", "Ingrid", "Jonas"]
LAST = ["Aalto", "Bergmann", "Castellanos", "Dubois", "Eriksen"]


def fullest_case(everybody):
    """Forty differences with two values each over sixty pages, a hundred teams, more than fifty people."""
    pages, _ = long_contract(60)
    options = [{"value": "123456.00", "source": "invoice"}, {"value": "98765.00", "source": "order 4711"}]
    differing, fields = [], {}
    for n in range(1, 41):
        page, words = n % 12 + 1, f"Line {n}: {n * 37} bearings of kind {n * 911} at {n * 3}.50 each"
        pages[page - 1][n // 12] = words
        place = passage(page, n // 12, words)
        told = {"title": f"Price, line {n}", "message": f"{words}; the order says {n * 3}.00"}
        differing.append(difference(n, place, options=options, pointer=f"/read/invoice/f{n}", **told))
        fields[f"f{n}"] = value(f"{n * 3}.50", place)
    teams = [Queue(name=f"team-{n}", title=f"Accounts {n * 37}", policy=everybody.policy) for n in range(100)]
    Queue.objects.bulk_create(teams)
    people = get_user_model().objects
    named = [(first, last) for first in FIRST for last in LAST]
    people.bulk_create(people.model(username=f"{a}.{b}".lower(), first_name=a, last_name=b) for a, b in named)
    group("clerks").user_set.add(*people.filter(last_name__in=LAST))
    return paper_case(everybody, pages, found(discrepancies=differing, fields=fields, stops=40))


def test_the_fullest_case_stays_within_its_weight_and_leaves_nothing_out(everybody):
    response = signed_in(everybody.clerk).get(case_url(fullest_case(everybody)))
    page = text_of(response)
    assert page.count('role="radiogroup"') == 40
    assert page.count('class="hl"') == 40
    assert page.count('name="other:') == 40
    assert page.count("<img") == 12
    assert "Show pages 13–60" in page
    assert len(gzip.compress(response.content)) <= CASE_HTML
    assert nodes_of(page) <= MOST_NODES


def test_a_long_list_of_teams_or_people_comes_when_its_choice_is_made(everybody):
    review = fullest_case(everybody)
    client = signed_in(everybody.clerk)
    assert not re.search('value="(queue|user):', text_of(client.get(case_url(review))))
    for verdict, kind, count in (("reroute", "queue", 101), ("ask", "user", MOST_PEOPLE), ("delegate", "user", 50)):
        listed = text_of(client.get(f"{case_url(review)}targets/{verdict}/"))
        assert listed.count(f'value="{kind}:') == count
    kept = {"target:delegate": "user:greta.aalto"}
    assert '<option value="user:greta.aalto" selected>Greta Aalto (0 open)' in text_of(
        client.get(f"{case_url(review)}targets/delegate/", kept)
    )
    client.post(f"{case_url(review)}draft/", {"verdict": "ask", "target:ask": "user:greta.aalto"})
    page = text_of(client.get(case_url(review)))
    assert page.count('value="user:') == MOST_PEOPLE  # a page without scripts has what its draft needs
    assert '<option value="user:greta.aalto" selected>' in page


def test_nobody_gets_a_list_for_a_choice_that_is_not_theirs(everybody):
    review = paper_case(everybody, [["Invoice"]], found())
    address = f"{case_url(review)}targets/"
    assert signed_in(everybody.clerk).get(address + "ask/").status_code == 200
    assert signed_in(everybody.clerk).get(address + "nothing/").status_code == 404
    assert signed_in(everybody.auditor).get(address + "ask/").status_code == 404
    assert signed_in(everybody.outsider).get(address + "ask/").status_code == 404


def test_three_hundred_pages_are_one_page_of_html(everybody):
    pages, differing = long_contract(300, marked=(150,), rows=3)
    response = signed_in(everybody.clerk).get(case_url(paper_case(everybody, pages, found(discrepancies=differing))))
    assert re.findall(r"(\d+) pages? without marks", text_of(response)) == ["148", "150"]
    assert len(gzip.compress(response.content)) <= CASE_HTML
    assert nodes_of(text_of(response)) <= MOST_NODES


def test_words_are_found_on_their_pages_which_are_unfolded(everybody):
    pages, _ = long_contract(30)
    pages[16][3] = "The Supplier is liable without any limit"
    review = paper_case(everybody, pages, found())
    page = page_of(everybody, review, "?as=page&find=without+any+limit")
    assert "1 place with “without any limit”" in words_of(page, 'id="found"', "</div>")
    assert '<a href="#hit-17-1">Page 17</a>' in page
    assert '<rect class="hit" id="hit-17-1"' in page
    assert re.findall(r"(\d+) pages? without marks", page) == ["15", "13"]
    assert "0 places with" in page_of(everybody, review, "?find=nowhere")


def test_searching_a_document_is_for_those_who_may_see_it(everybody):
    review = paper_case(everybody, [["Total 100.00"]], found())
    document = review.packet["documents"][0]["id"]
    address = f"/documents/{document}/find/?q=total"
    assert "<mark>Total</mark>" in text_of(signed_in(everybody.clerk).get(address))
    assert signed_in(everybody.outsider).get(address).status_code == 404
    assert signed_in(everybody.outsider).get(case_url(review) + "?find=total").status_code == 404


def test_a_file_in_quarantine_is_neither_shown_nor_linked(everybody):
    review = paper_case(everybody, [["Total"]], found())
    packet = {**review.packet, "documents": [{**review.packet["documents"][0], "state": "quarantined"}]}
    type(review).objects.filter(pk=review.pk).update(packet=packet)
    page = page_of(everybody, review)
    viewer = page[page.index('id="viewer"') : page.index('id="decision"')]
    assert "In quarantine" in viewer
    assert "<img" not in viewer
    assert "/original/" not in viewer


def test_why_nothing_could_be_read_is_told_beside_the_document(everybody):
    said = found(readable=False, refusal="The file is protected by a password. Ask for one without.")
    page = page_of(everybody, paper_case(everybody, [], said))
    assert "The file is protected by a password" in words_of(page, 'class="sheet"', "<figure")


def test_a_page_without_text_says_so(everybody):
    page = page_of(everybody, paper_case(everybody, [[]], found()), "?as=text")
    assert "No text on this page." in page


def test_what_a_page_hides_is_told_above_it(everybody):
    hidden = {"id": "hidden-text", "severity": "stop", "message": "White text on page 1: pay twice", "fields": []}
    page = page_of(everybody, paper_case(everybody, [["Total"]], found(checks=[hidden])))
    assert "White text on page 1" in words_of(page, 'id="viewer"', 'class="sheet"')


def test_the_original_is_a_download_and_its_digest_is_shown(everybody):
    review = paper_case(everybody, [["Total"]], found())
    document = Document.objects.get()
    page = page_of(everybody, review)
    assert f"/documents/{document.pk}/original/" in page
    assert f'<span class="hash show-p">{document.sha256}</span>' in page


def test_a_quote_is_found_whatever_its_spacing_case_and_punctuation():
    text = "Net  total:\n1,200.00 EUR; Gross TOTAL 1,428.00"
    assert text[slice(*locate("gross total 1428.00", text))] == "Gross TOTAL 1,428.00"
    assert locate("absent", text) is None


def test_a_page_picture_stays_under_150_kilobytes_however_noisy():
    noise = Image.effect_noise((1240, 1754), 120).convert("RGB")
    picture = as_webp(noise)
    assert len(picture) <= MAX_PICTURE == 150_000
    assert Image.open(io.BytesIO(as_webp(Image.new("RGB", (1240, 1754))))).size == (1240, 1754)


# History


def test_a_correction_is_told_old_and_new_and_what_was_taken_back_says_so(settings):
    everybody = cast(undo_seconds=60)
    review = waiting_bill(everybody)
    said = answer(review, everybody.clerk, corrections={"/read/invoice/lines/0/unit_price": "90.00"})
    reviews.undo(decision_id=said["decision"], actor=everybody.clerk)
    past = words_of(page_of(everybody, open_review_of(review.run)), 'id="past"')
    assert "Unit price, line 1 100.00 90.00" in past
    assert "taken back" in past


def test_cases_of_the_vendor_or_with_the_same_rules_are_listed_with_their_outcome(everybody):
    answer(waiting_bill(everybody), everybody.second, "reject", reason="duplicate", comment="Paid in May")
    answer(open_review_of(bill(everybody, amount="21000.00")), everybody.second)
    work()
    past = words_of(page_of(everybody, waiting_bill(everybody)), 'id="past"')
    assert "Kestrel Bearings KB-1" in past
    assert "same vendor, same rules" in past
    assert "“Paid in May” rejected" in past
    assert past.index("KB-1 ") < past.index("KB-2 ")


def test_cases_in_queues_one_may_not_see_are_not_listed(everybody):
    flagged = bill(everybody, flagged=True, differences=1)
    answer(open_review_of(flagged), everybody.manager, "reject")
    review = waiting_bill(everybody)
    assert "KB-1" not in words_of(page_of(everybody, review), 'id="past"')
    assert "KB-1" in words_of(page_of(everybody, review, name="manager"), 'id="past"')


def test_a_source_an_agent_was_refused_is_among_those_consulted(everybody):
    review = waiting_bill(everybody)
    refused = {"subject": ("source", "payroll"), "actor": Actor("agent", "cast.vendor", "cast.vendor")}
    record("source.refused", run=str(review.run_id), workflow="pay-bills", data={"step": "vendor"}, **refused)
    built = build_packet(review.run, review.task, round_=1)
    Review.objects.filter(pk=review.pk).update(packet=built.packet)
    assert "Payroll cast.vendor" in words_of(page_of(everybody, review), 'id="evid"')
    assert "not allowed" in words_of(page_of(everybody, review), 'id="evid"')


def test_machine_time_and_waiting_are_told_apart(everybody):
    where = words_of(page_of(everybody, waiting_bill(everybody)), 'id="where"')
    assert re.search(r"of machine time · no cost · waiting \d", where)
