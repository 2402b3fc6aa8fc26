"""The words invoices use in front of their values, in German, French, Dutch and English.

General vocabulary of the trade, not of any sender. Patterns are matched against folded text (see `amounts.fold`); where
several labels match at one place the longest wins, so "Gesamtbetrag der Abschläge" is never a grand total.
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["code", "date", "amount", "other"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A label found in a text. `unsure` marks wording that different senders use for different fields."""

    field: str
    start: int
    end: int
    unsure: bool = False


NUMBER = r"(?:\s?-?\s?(?:nummer|number|numero|nr|no|num|n°|id)\b[.:]?|\s?#|\s?n°)"
INVOICE = r"(?:rechnungs?|invoice|facture|factuur|beleg|faktura|document|bill)"
PAID = r"(?:anzahlung(?:en)?|acomptes?|prepaid|prepayment|deposit|voorschot|aanbetaling|payments? received)"
VAT = r"(?:ust|mwst|umsatzsteuer|mehrwertsteuer|vat|tva|btw|sales tax|gst)\.?"

# What a sender calls "your order" or "your reference": the number of an order to some, their customer's own to others.
EITHER_REFERENCE = "either_reference"

_PATTERNS: dict[str, tuple[str, ...]] = {
    "invoice_number": (
        rf"{INVOICE}{NUMBER}",
        r"(?:n°|no|nr|num(?:ero)?|number)\.? (?:de |of |du |der )?(?:la )?(?:rechnung|invoice|facture|factuur)",
        r"ihre rechnung(?:snummer)?",
        r"credit note (?:number|no\.?|#)",
        r"gutschrifts?-?(?:nummer|nr\.?)",
    ),
    "order_reference": (
        rf"(?:bestell|auftrags|order|purchase order|po|commande|bon de commande|sales order){NUMBER}",
        r"(?:n°|numero|no) (?:de )?(?:commande|bon de commande)",
        r"bestellung|purchase order|order reference|bestellreferenz|uw bestelling|reference commande",
    ),
    "contract_reference": (
        rf"(?:vertrags|contract|agreement){NUMBER}",
        r"vertrag|contract reference|agreement ref(?:erence)?|ref\.? marche|n°? de (?:contrat|marche)|contractnummer",
    ),
    "buyer_reference": (
        r"referenz des kaufers|kauferreferenz|buyer'?s? reference|leitweg-?id|reference acheteur|code service",
        r"kunden-?referenz|customer reference|klantreferentie|uw kenmerk|ihr zeichen",
    ),
    EITHER_REFERENCE: (
        r"votre (?:reference|commande)|your (?:reference|order|ref\.?)|ihre (?:bestellung|referenz)"
        r"|uw (?:referentie|order)",
    ),
    "issue_date": (
        rf"(?:{INVOICE})\s?-?\s?(?:datum|date|dd\.?)",
        r"(?:date|datum) (?:de |of |der |van )?(?:la |l'|de )?(?:invoice|facture|factuur|rechnung|issue|emission)",
        r"ausstellungsdatum|issue date|date issued|invoice date|issued (?:on|at)|emise le|date d'emission",
    ),
    "due_date": (
        r"fallig(?:keit)?(?:s?-?(?:datum|tag|am))?|fallig (?:am|bis|zum)|zahlbar (?:bis|am)(?: zum)?|zahlungsziel"
        r"|due date",
        r"(?:payment )?due(?: (?:by|on|date))?|date d'echeance|echeance|vervaldatum|vervaldag|betalen voor"
        r"|a payer avant(?: le)?",
        r"(?:bitte )?uberweisen sie (?:bitte )?bis(?: zum)?|please (?:remit|pay) (?:until|by|before)|pay by"
        r"|te betalen voor",
        r"zahlbar innerhalb [^,;]{0,24}? bis(?: zum)?",
    ),
    "line_total": (
        r"warenwert|positionssumme|summe (?:der )?positionen|zwischensumme|sub-?total|subtotaal|sous-total|total lines",
    ),
    "charges": (
        r"gesamtbetrag der zuschlage|(?:summe )?zuschlage|total charges|versandkosten|shipping|frais de port"
        r"|verzendkosten",
    ),
    "allowances": (
        r"gesamtbetrag der abschlage|(?:summe )?abschlage|total allowances|total discount|remise totale|korting totaal",
    ),
    "net_total": (
        rf"rechnungssumme ohne {VAT}|(?:gesamt)?summe netto|netto(?:betrag|summe|gesamt)|gesamt(?:betrag)? netto"
        rf"|net(?: total| amount)",
        rf"(?:gesamt|summe|total|betrag|totaal|montant)(?:betrag|summe)? (?:ohne|exkl\.?|excl\.?|exclusive"
        rf"|exclusief|before|hors|ht|zonder) ?(?:{VAT}|tax(?:es)?)?",
        rf"total (?:net|netto|ht)|montant ht|exclusief btw|totaal netto|subtotal excl\.? {VAT}|excl\.? {VAT}|netto",
    ),
    "tax_total": (
        r"steuerbetrag|gesamtsteuer(?:betrag)?|summe (?:der )?steuern?|total tax(?:es)?|tax total|total tva"
        r"|montant tva|btw[- ]?bedrag",
        rf"(?:zuzugl(?:ich|\.)?|zzgl\.?|plus|inkl\.?|enthaltene|inclusive) ?(?:\d{{1,2}}(?:[.,]\d+)? ?% ?)?{VAT}",
        rf"{VAT} (?:gesamt|total|amount|bedrag|betrag|totaal)|(?:gesamt|summe|total|montant"
        rf"|totaal)(?:betrag)? (?:de la |der )?{VAT}",
        rf"(?:\d{{1,2}}(?:[.,]\d+)? ?% ?)?{VAT}|tax|taxe",
    ),
    "gross_total": (
        r"bruttosumme|bruttobetrag|gesamt(?:betrag|summe)?(?: brutto)?|rechnungs(?:betrag|summe)|end(?:betrag|summe)",
        rf"(?:gesamt|summe|total|totaal)(?:betrag|summe)? (?:inkl\.?|incl\.?|inklusive|inclusive of|including"
        rf"|inclusief|mit|ttc) ?(?:{VAT}|tax(?:es)?)?",
        r"(?:grand|invoice) total|total(?: for this)? invoice|total amount|total ttc|montant ttc|factuur totaal"
        r"|totaal(?:bedrag)?|total",
        r"brutto|summe|total general|net ttc",
    ),
    "prepaid": (
        rf"(?:erhaltene |bereits gezahlte |geleistete )?{PAID}(?: recues?| versees?)?|bereits (?:gezahlt|bezahlt)"
        rf"|deja (?:regle|paye)",
        r"amount paid|paid amount|total paid|reeds betaald|already paid",
    ),
    "payable": (
        r"zahlbetrag|zu zahlen(?:der)?(?: betrag| beitrag)?|noch zu zahlen|offener betrag|rest(?:betrag|zahlung)",
        r"(?:total )?amount (?:due|payable)(?: on)?|balance(?: due)?|due payable|net a payer|solde(?: a payer)?"
        r"|reste a payer",
        r"te betalen(?: bedrag)?|openstaand bedrag|residual|payable|montant du",
    ),
    "currency": (r"(?:rechnungs)?wahrung|currency|devise|valuta|munt",),
    "delivery_date": (
        r"liefer-? ?(?:und|/|&) ?leistungs-?datum|leistungs-?datum|liefer-?datum|leistungszeitraum|delivery date"
        r"|date of delivery",
        r"(?:order|bestell|auftrags?|lieferschein|leverings)-? ?(?:datum|date)(?:-lief)?|date de (?:livraison"
        r"|commande|la commande)|payment date",
        r"rechnungszeitraum|billing period|periode|shipping date|abholdatum|abrechnungszeitraum",
    ),
    "other": (
        rf"(?:kunden|debitoren?|lieferanten|lief|kreditoren|lieferschein|ursprungsbeleg|reklamations|artikel|art"
        rf"|auftrag){NUMBER}(?:-lief)?",
        rf"(?:customer|account|client|klant|delivery note|ticket|serial|item|vat|tax|steuer|siret|reference|dossier"
        rf"|serien){NUMBER}",
        r"lieferavis|lieferschein|kundennr|telefon|telefax|fon|fax|tel|phone|e-?mail|iban|bic|swift|globale nummer"
        r"|gln|anschrift|name",
        r"numero de (?:dossier|client|compte|tva)|ansprechpartner|contact|handelsregisternummer|steuernummer|seite"
        r"|page|nummer",
        rf"(?:{VAT})[ -]?(?:id|ident|idnr|nr|nummer|number)[\w.-]*|total qty|gesamtgewicht|code service executant",
    ),
}

_UNSURE: dict[str, tuple[str, ...]] = {
    "invoice_number": (r"(?:rechnung|invoice|facture|factuur)",),
    "issue_date": (r"date|datum",),
}

_COMPILED = [
    (field, re.compile(rf"(?<![\w])(?:{pattern})(?!\w)"), unsure)
    for table, unsure in ((_PATTERNS, False), (_UNSURE, True))
    for field, patterns in table.items()
    for pattern in patterns
]

KINDS: dict[str, Kind] = {
    "invoice_number": "code",
    "order_reference": "code",
    "contract_reference": "code",
    "buyer_reference": "code",
    EITHER_REFERENCE: "code",
    "issue_date": "date",
    "due_date": "date",
    **dict.fromkeys(
        ("line_total", "charges", "allowances", "net_total", "tax_total", "gross_total", "prepaid", "payable"), "amount"
    ),
    "currency": "other",
    "delivery_date": "other",
    "other": "other",
}

SELLER_HEADINGS = re.compile(
    r"(?:verkaufer|lieferant|rechnungssteller|seller|supplier|vendor|from|sold by|service provider|fournisseur"
    r"|vendeur|emetteur"
    r"|leverancier|verkoper|absender|issued by)(?: ?/ ?\w+)?\s*:?$"
)
BUYER_HEADINGS = re.compile(
    r"(?:kaufer(?:/leistungsempfanger)?|leistungsempfanger|rechnungsempfanger|rechnungsadresse|rechnung an|kunde"
    r"|auftraggeber"
    r"|buyer|customer|bill(?:ed)? to(?: address)?|invoice to|sold to|client|facture a|adresse de facturation|acheteur"
    r"|koper|klant|factuuradres)\s*:?$"
)
OTHER_HEADINGS = re.compile(
    r"(?:bemerkung(?:en)?|positionsdaten|positionen|warenempfanger|lieferadresse|lieferanschrift|ship(?:ped)? to"
    r"|delivery address"
    r"|deliver to|adresse de livraison|afleveradres|shipping information|information(?:en)?|notes?|invoice summary"
    r"|summary|detail"
    r"|belegsummen|zahlungsbedingungen|payee|inhalt|umsatzsteueraufschlusselung|zahlungsart|kontakt|contact)\s*:?$"
)
CUSTOMER_WORDS = re.compile(r"\b(?:kunden?|client|customer|klant|uw|ihre|buyer|kaufers?|your)\b")
VAT_WORDS = re.compile(r"(?:\bust|umsatzsteuer|\bvat\b|\btva\b|\bbtw\b|\buid\b|mwst)")
LEGAL_FORM = re.compile(
    r"(?:\b(?:gmbh(?: & co\.? ?kg)?|mbh|ag|kg|ohg|gbr|ug|e\.? ?k\.|a\. ?g\.|se|sarl|s\.a\.r\.l\.|sas|sasu|sa|s\.a\."
    r"|eurl|b\.v\.|bv"
    r"|n\.v\.|nv|vof|inc|llc|ltd|limited|plc|corp|corporation|gmbh u\. co\.|s\.r\.l\.|srl|s\.p\.a\.|spa|oy|ab|aps"
    r"|a/s|as)(?:\b|(?<=\.))"
    r"|\be\. ?v\.)"
)
CREDIT_TITLES = re.compile(
    r"\b(?:gutschrift|rechnungs-?korrektur|storno(?:rechnung)?|credit note|credit memo|avoir|creditnota)\b"
)


def find_labels(folded: str) -> list[Hit]:
    """The labels in a folded text, left to right, not overlapping; at one place the longest wins."""
    hits = [
        Hit(field, match.start(), match.end(), unsure)
        for field, pattern, unsure in _COMPILED
        for match in pattern.finditer(folded)
        if match.end() > match.start()
    ]
    hits.sort(key=lambda hit: (hit.start - hit.end, hit.unsure, hit.start))
    chosen: list[Hit] = []
    for hit in hits:
        if all(hit.end <= other.start or other.end <= hit.start for other in chosen):
            chosen.append(hit)
    return sorted(chosen, key=lambda hit: hit.start)
