"""UN/CEFACT Cross Industry Invoice (ZUGFeRD, Factur-X): the rules of EN 16931-1 on what a document must hold, by id."""

from functools import partial

from orchestrator.documents import codelists
from orchestrator.documents.einvoice_cii_places import (
    ADJUSTMENT,
    AGENT,
    BREAKDOWN,
    BUYER,
    DELIVERED,
    DOWN,
    HEADER,
    LINE,
    LINE_SETTLED,
    LINES,
    MEANS,
    NAMESPACES,
    PRODUCT,
    SELLER,
    SETTLED,
    SUM,
    UP,
)
from orchestrator.documents.einvoice_places import Rule, Syntax
from orchestrator.documents.einvoice_shared_rules import adjustment_rules, decimals, party_rules

_REASON = "ram:Reason or ram:ReasonCode"
_TRANSFER = f"/*/{MEANS}[ram:TypeCode = '30' or ram:TypeCode = '58']"
_PERIOD = "not(ram:StartDateTime and ram:EndDateTime) or number(ram:EndDateTime) >= number(ram:StartDateTime)"
_SCHEMED = "ram:GlobalID"

_party_rules = partial(
    party_rules,
    address="ram:PostalTradeAddress",
    country="ram:CountryID",
    endpoint="ram:URIUniversalCommunication/ram:URIID",
)
_adjustment_rules = partial(
    adjustment_rules, amount="ram:ActualAmount", category="ram:CategoryTradeTax/ram:CategoryCode", reason=_REASON
)

RULES = (
    *_party_rules(SELLER, "seller", ("BR-08", "BR-09", "BR-62")),
    *_party_rules(BUYER, "buyer", ("BR-10", "BR-11", "BR-63")),
    *_adjustment_rules(f"/*/{SETTLED}/{DOWN}", "An allowance", ("BR-31", "BR-32", "BR-33"), "allowances"),
    *_adjustment_rules(f"/*/{SETTLED}/{UP}", "A charge", ("BR-36", "BR-37", "BR-38"), "charges"),
    Rule(
        "BR-01",
        "/*",
        "The invoice does not name the specification it follows.",
        "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
    ),
    Rule(
        "BR-17",
        f"/*/{SETTLED}/ram:PayeeTradeParty",
        "The payee has no name, or the same as the seller.",
        f"ram:Name and not(ram:Name = /*/{SELLER}/ram:Name)",
        "payee.name",
    ),
    Rule("BR-18", f"/*/{AGENT}", "The seller's tax representative has no name.", "ram:Name"),
    Rule("BR-19", f"/*/{AGENT}", "The seller's tax representative has no address.", "ram:PostalTradeAddress"),
    Rule(
        "BR-20",
        f"/*/{AGENT}/ram:PostalTradeAddress",
        "The seller's tax representative has no country.",
        "ram:CountryID",
    ),
    Rule(
        "BR-56",
        f"/*/{AGENT}",
        "The seller's tax representative has no VAT id.",
        "ram:SpecifiedTaxRegistration/ram:ID[@schemeID='VA']",
        "representative.vat_id",
    ),
    Rule("BR-28", "//ram:GrossPriceProductTradePrice/ram:ChargeAmount", "A gross price is negative.", ". >= 0"),
    Rule(
        "BR-29",
        f"/*/{SETTLED}/ram:BillingSpecifiedPeriod",
        "The invoicing period ends before it starts.",
        _PERIOD,
        "period.end",
    ),
    Rule("BR-30", f"//{LINE_SETTLED}/ram:BillingSpecifiedPeriod", "A line's period ends before it starts.", _PERIOD),
    Rule("BR-41", f"//{LINE_SETTLED}/{DOWN}", "An allowance on a line has no amount.", "ram:ActualAmount"),
    Rule("BR-42", f"//{LINE_SETTLED}/{DOWN}", "An allowance on a line has no reason.", _REASON),
    Rule("BR-43", f"//{LINE_SETTLED}/{UP}", "A charge on a line has no amount.", "ram:ActualAmount"),
    Rule("BR-44", f"//{LINE_SETTLED}/{UP}", "A charge on a line has no reason.", _REASON),
    Rule("BR-49", f"/*/{MEANS}", "A payment instruction does not say how to pay.", "ram:TypeCode", "payment_means"),
    Rule(
        "BR-50",
        f"{_TRANSFER}/ram:PayeePartyCreditorFinancialAccount",
        "A bank account to pay to has no number.",
        "normalize-space(ram:IBANID) != '' or normalize-space(ram:ProprietaryID) != ''",
        "iban",
    ),
    Rule(
        "BR-61",
        _TRANSFER,
        "A credit transfer is asked for, but no account to pay to is given.",
        "ram:PayeePartyCreditorFinancialAccount[ram:IBANID or ram:ProprietaryID]",
        "iban",
    ),
    Rule(
        "BR-53",
        f"/*[{SETTLED}/ram:TaxCurrencyCode]",
        "The VAT total in the accounting currency is missing.",
        f"{SUM}/ram:TaxTotalAmount[@currencyID = /*/{SETTLED}/ram:TaxCurrencyCode]",
        "tax_currency",
    ),
    Rule(
        "BR-54",
        "//ram:ApplicableProductCharacteristic",
        "An item property lacks its name or its value.",
        "ram:Description and ram:Value",
    ),
    Rule(
        "BR-55",
        f"/*/{SETTLED}/ram:InvoiceReferencedDocument",
        "A reference to an earlier invoice has no number.",
        "normalize-space(ram:IssuerAssignedID)",
        "preceding_invoice",
    ),
    Rule(
        "BR-57",
        f"/*/{DELIVERED}/ram:ShipToTradeParty/ram:PostalTradeAddress",
        "The delivery address has no country.",
        "ram:CountryID",
        "delivery.country",
    ),
    Rule("BR-64", f"//{PRODUCT}/ram:GlobalID", "An item number does not say its scheme.", "@schemeID"),
    Rule("BR-65", "//ram:ClassCode", "An item classification does not say its scheme.", "@listID"),
    Rule(
        "BR-CO-19",
        f"/*/{SETTLED}/ram:BillingSpecifiedPeriod",
        "The invoicing period has neither a start nor an end.",
        "ram:StartDateTime or ram:EndDateTime",
        "period.start",
    ),
    Rule(
        "BR-CO-26",
        f"/*/{SELLER}",
        "The seller has neither an identifier, a registration nor a VAT id.",
        "ram:ID or ram:GlobalID or ram:SpecifiedLegalOrganization/ram:ID"
        " or ram:SpecifiedTaxRegistration/ram:ID[@schemeID='VA']",
        "seller.vat_id",
    ),
    Rule("BR-CL-03", "//@currencyID", "An amount's currency is not an ISO 4217 code.", codes=codelists.CURRENCIES),
    Rule(
        "BR-CL-05",
        f"/*/{SETTLED}/ram:TaxCurrencyCode",
        "The accounting currency is not an ISO 4217 code.",
        codes=codelists.CURRENCIES,
        field="tax_currency",
    ),
    Rule(
        "BR-CL-10",
        f"//ram:SellerTradeParty/{_SCHEMED}/@schemeID | //ram:BuyerTradeParty/{_SCHEMED}/@schemeID"
        f" | //ram:PayeeTradeParty/{_SCHEMED}/@schemeID",
        "A party identifier's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    Rule(
        "BR-CL-11",
        "//ram:SpecifiedLegalOrganization/ram:ID/@schemeID",
        "A registration's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    Rule(
        "BR-CL-13",
        "//ram:ClassCode/@listID",
        "An item classification's scheme is not in UNTDID 7143.",
        codes=codelists.ITEM_CLASSIFICATIONS,
    ),
    Rule("BR-CL-14", "//ram:CountryID", "A country is not an ISO 3166 code.", codes=codelists.COUNTRIES),
    Rule(
        "BR-CL-15",
        "//ram:OriginTradeCountry/ram:ID",
        "A country of origin is not an ISO 3166 code.",
        codes=codelists.COUNTRIES,
    ),
    Rule(
        "BR-CL-16",
        f"/*/{MEANS}/ram:TypeCode",
        "The payment means is not in UNTDID 4461.",
        codes=codelists.PAYMENT_MEANS,
        field="payment_means",
    ),
    Rule(
        "BR-CL-19",
        f"//{DOWN}/ram:ReasonCode",
        "An allowance's reason is not in UNTDID 5189.",
        codes=codelists.ALLOWANCE_REASONS,
    ),
    Rule(
        "BR-CL-20",
        f"//{UP}/ram:ReasonCode",
        "A charge's reason is not in UNTDID 7161.",
        codes=codelists.CHARGE_REASONS,
    ),
    Rule(
        "BR-CL-21",
        f"//{PRODUCT}/ram:GlobalID/@schemeID",
        "An item number's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    Rule(
        "BR-CL-22",
        "//ram:ExemptionReasonCode",
        "A VAT exemption reason is not in the VATEX list.",
        codes=codelists.EXEMPTION_REASONS,
    ),
    Rule(
        "BR-CL-24",
        "//ram:AttachmentBinaryObject/@mimeCode",
        "An attachment is of a type that invoices may not carry.",
        codes=codelists.MEDIA_TYPES,
    ),
    Rule(
        "BR-CL-25",
        "//ram:URIUniversalCommunication/ram:URIID/@schemeID",
        "An electronic address's scheme is not in the EAS list.",
        codes=codelists.ELECTRONIC_ADDRESS_SCHEMES,
    ),
    Rule(
        "BR-CL-26",
        f"//ram:ShipToTradeParty/{_SCHEMED}/@schemeID",
        "A delivery location's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    decimals("BR-DEC-01", f"/*/{SETTLED}/{DOWN}/ram:ActualAmount", "amount of an allowance"),
    decimals("BR-DEC-05", f"/*/{SETTLED}/{UP}/ram:ActualAmount", "amount of a charge"),
    decimals("BR-DEC-09", f"/*/{SUM}/ram:*", "invoice's totals block"),
    decimals(
        "BR-DEC-19",
        f"/*/{SETTLED}/ram:ApplicableTradeTax/ram:BasisAmount"
        f" | /*/{SETTLED}/ram:ApplicableTradeTax/ram:CalculatedAmount",
        "VAT breakdown",
    ),
    decimals(
        "BR-DEC-23", "//ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount", "net amount of a line"
    ),
)

CII = Syntax(
    name="CII",
    reader="einvoice-cii/1",
    roots=frozenset({f"{{{NAMESPACES['rsm']}}}CrossIndustryInvoice"}),
    namespaces=NAMESPACES,
    header=HEADER,
    lines=LINES,
    line=LINE,
    tables={
        "vat": (f"{SETTLED}/ram:ApplicableTradeTax", BREAKDOWN),
        "allowance": (f"{SETTLED}/{DOWN}", ADJUSTMENT),
        "charge": (f"{SETTLED}/{UP}", ADJUSTMENT),
    },
    notes=(
        "rsm:ExchangedDocument/ram:IncludedNote/ram:Content",
        f"{LINES}/ram:AssociatedDocumentLineDocument/ram:IncludedNote/ram:Content",
    ),
    rules=RULES,
)
