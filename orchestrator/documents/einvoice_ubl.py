"""UBL 2.1 Invoice and CreditNote (ISO/IEC 19845): the rules of EN 16931-1 on what a document must hold, by id."""

from functools import partial

from orchestrator.documents import codelists
from orchestrator.documents.einvoice_places import Rule, Syntax
from orchestrator.documents.einvoice_shared_rules import adjustment_rules, decimals, party_rules
from orchestrator.documents.einvoice_ubl_places import (
    ADJUSTMENT,
    BREAKDOWN,
    BUYER,
    HEADER,
    LINE,
    LINES,
    NAMESPACE,
    NAMESPACES,
    SELLER,
    TOTAL,
    VAT,
)

_DOWN, _UP = (f"cac:AllowanceCharge[cbc:ChargeIndicator='{flag}']" for flag in ("false", "true"))
_LINE_DOWN, _LINE_UP = (f"({LINES})/{path}" for path in (_DOWN, _UP))
_REASON = "cbc:AllowanceChargeReason or cbc:AllowanceChargeReasonCode"
_PERIOD = "not(cbc:StartDate and cbc:EndDate) or translate(cbc:EndDate,'-','') >= translate(cbc:StartDate,'-','')"
_NONBLANK = "normalize-space(.)"

_party_rules = partial(
    party_rules, address="cac:PostalAddress", country="cac:Country/cbc:IdentificationCode", endpoint="cbc:EndpointID"
)
_adjustment_rules = partial(adjustment_rules, amount="cbc:Amount", category="cac:TaxCategory/cbc:ID", reason=_REASON)

RULES = (
    *_party_rules(SELLER, "seller", ("BR-08", "BR-09", "BR-62")),
    *_party_rules(BUYER, "buyer", ("BR-10", "BR-11", "BR-63")),
    *_adjustment_rules(f"/*/{_DOWN}", "An allowance", ("BR-31", "BR-32", "BR-33"), "allowances"),
    *_adjustment_rules(f"/*/{_UP}", "A charge", ("BR-36", "BR-37", "BR-38"), "charges"),
    Rule("BR-01", "/*", "The invoice does not name the specification it follows.", "cbc:CustomizationID"),
    Rule(
        "BR-06",
        "/*",
        "The seller's registered name is missing.",
        f"normalize-space({SELLER}/cac:PartyLegalEntity/cbc:RegistrationName)",
        "seller.name",
    ),
    Rule(
        "BR-07",
        "/*",
        "The buyer's registered name is missing.",
        f"normalize-space({BUYER}/cac:PartyLegalEntity/cbc:RegistrationName)",
        "buyer.name",
    ),
    Rule(
        "BR-17",
        "/*/cac:PayeeParty",
        "The payee has no name, or the same as the seller.",
        f"cac:PartyName/cbc:Name and not(cac:PartyName/cbc:Name = ../{SELLER}/cac:PartyName/cbc:Name)",
        "payee.name",
    ),
    Rule(
        "BR-18",
        "/*/cac:TaxRepresentativeParty",
        "The seller's tax representative has no name.",
        "cac:PartyName/cbc:Name",
    ),
    Rule(
        "BR-19", "/*/cac:TaxRepresentativeParty", "The seller's tax representative has no address.", "cac:PostalAddress"
    ),
    Rule(
        "BR-20",
        "/*/cac:TaxRepresentativeParty/cac:PostalAddress",
        "The seller's tax representative has no country.",
        "cac:Country/cbc:IdentificationCode",
    ),
    Rule(
        "BR-56",
        "/*/cac:TaxRepresentativeParty",
        "The seller's tax representative has no VAT id.",
        f"cac:PartyTaxScheme[{VAT}]/cbc:CompanyID",
        "representative.vat_id",
    ),
    Rule("BR-28", f"({LINES})/cac:Price/cac:AllowanceCharge/cbc:BaseAmount", "A gross price is negative.", ". >= 0"),
    Rule("BR-29", "/*/cac:InvoicePeriod", "The invoicing period ends before it starts.", _PERIOD, "period.end"),
    Rule("BR-30", f"({LINES})/cac:InvoicePeriod", "A line's period ends before it starts.", _PERIOD),
    Rule("BR-41", _LINE_DOWN, "An allowance on a line has no amount.", "cbc:Amount"),
    Rule("BR-42", _LINE_DOWN, "An allowance on a line has no reason.", _REASON),
    Rule("BR-43", _LINE_UP, "A charge on a line has no amount.", "cbc:Amount"),
    Rule("BR-44", _LINE_UP, "A charge on a line has no reason.", _REASON),
    Rule(
        "BR-49",
        "/*/cac:PaymentMeans",
        "A payment instruction does not say how to pay.",
        "cbc:PaymentMeansCode",
        "payment_means",
    ),
    Rule(
        "BR-50",
        "/*/cac:PaymentMeans[cbc:PaymentMeansCode = '30' or cbc:PaymentMeansCode = '58']/cac:PayeeFinancialAccount",
        "A bank account to pay to has no number.",
        "normalize-space(cbc:ID)",
        "iban",
    ),
    Rule(
        "BR-61",
        "/*/cac:PaymentMeans[cbc:PaymentMeansCode = '30' or cbc:PaymentMeansCode = '58']",
        "A credit transfer is asked for, but no account to pay to is given.",
        "cac:PayeeFinancialAccount/cbc:ID",
        "iban",
    ),
    Rule("BR-52", "/*/cac:AdditionalDocumentReference", "A supporting document has no reference.", "cbc:ID"),
    Rule(
        "BR-53",
        "/*[cbc:TaxCurrencyCode]",
        "The VAT total in the accounting currency is missing.",
        "cac:TaxTotal/cbc:TaxAmount[@currencyID = /*/cbc:TaxCurrencyCode]",
        "tax_currency",
    ),
    Rule(
        "BR-54",
        "//cac:Item/cac:AdditionalItemProperty",
        "An item property lacks its name or its value.",
        "cbc:Name and cbc:Value",
    ),
    Rule(
        "BR-55",
        "/*/cac:BillingReference",
        "A reference to an earlier invoice has no number.",
        "cac:InvoiceDocumentReference/cbc:ID",
        "preceding_invoice",
    ),
    Rule(
        "BR-57",
        "/*/cac:Delivery/cac:DeliveryLocation/cac:Address",
        "The delivery address has no country.",
        "cac:Country/cbc:IdentificationCode",
        "delivery.country",
    ),
    Rule("BR-64", "//cac:StandardItemIdentification/cbc:ID", "An item number does not say its scheme.", "@schemeID"),
    Rule("BR-65", "//cbc:ItemClassificationCode", "An item classification does not say its scheme.", "@listID"),
    Rule(
        "BR-CO-03",
        "/*",
        "The tax point is given twice, as a date and as a code.",
        "not(cbc:TaxPointDate and cac:InvoicePeriod/cbc:DescriptionCode)",
        "tax_point_date",
    ),
    Rule(
        "BR-CO-19",
        "/*/cac:InvoicePeriod",
        "The invoicing period has neither a start nor an end.",
        "cbc:StartDate or cbc:EndDate or cbc:DescriptionCode",
        "period.start",
    ),
    Rule(
        "BR-CO-20",
        f"({LINES})/cac:InvoicePeriod",
        "A line's period has neither a start nor an end.",
        "cbc:StartDate or cbc:EndDate",
    ),
    Rule(
        "BR-CO-26",
        "/*",
        "The seller has neither an identifier, a registration nor a VAT id.",
        f"{SELLER}/cac:PartyTaxScheme[{VAT}]/cbc:CompanyID or {SELLER}/cac:PartyIdentification/cbc:ID"
        f" or {SELLER}/cac:PartyLegalEntity/cbc:CompanyID",
        "seller.vat_id",
    ),
    Rule("BR-CL-03", "//@currencyID", "An amount's currency is not an ISO 4217 code.", codes=codelists.CURRENCIES),
    Rule(
        "BR-CL-05",
        "/*/cbc:TaxCurrencyCode",
        "The accounting currency is not an ISO 4217 code.",
        codes=codelists.CURRENCIES,
        field="tax_currency",
    ),
    Rule(
        "BR-CL-06",
        "/*/cac:InvoicePeriod/cbc:DescriptionCode",
        "The tax point code is not in UNTDID 2005.",
        codes=codelists.TAX_POINT_CODES,
    ),
    Rule(
        "BR-CL-10",
        "//cac:PartyIdentification/cbc:ID/@schemeID[. != 'SEPA']",
        "A party identifier's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    Rule(
        "BR-CL-11",
        "//cac:PartyLegalEntity/cbc:CompanyID/@schemeID",
        "A registration's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    Rule(
        "BR-CL-13",
        "//cbc:ItemClassificationCode/@listID",
        "An item classification's scheme is not in UNTDID 7143.",
        codes=codelists.ITEM_CLASSIFICATIONS,
    ),
    Rule(
        "BR-CL-14",
        "//cac:Country/cbc:IdentificationCode",
        "A country is not an ISO 3166 code.",
        codes=codelists.COUNTRIES,
    ),
    Rule(
        "BR-CL-15",
        "//cac:OriginCountry/cbc:IdentificationCode",
        "A country of origin is not an ISO 3166 code.",
        codes=codelists.COUNTRIES,
    ),
    Rule(
        "BR-CL-16",
        "//cac:PaymentMeans/cbc:PaymentMeansCode",
        "The payment means is not in UNTDID 4461.",
        codes=codelists.PAYMENT_MEANS,
        field="payment_means",
    ),
    Rule(
        "BR-CL-19",
        "//cac:AllowanceCharge[cbc:ChargeIndicator='false']/cbc:AllowanceChargeReasonCode",
        "An allowance's reason is not in UNTDID 5189.",
        codes=codelists.ALLOWANCE_REASONS,
    ),
    Rule(
        "BR-CL-20",
        "//cac:AllowanceCharge[cbc:ChargeIndicator='true']/cbc:AllowanceChargeReasonCode",
        "A charge's reason is not in UNTDID 7161.",
        codes=codelists.CHARGE_REASONS,
    ),
    Rule(
        "BR-CL-21",
        "//cac:StandardItemIdentification/cbc:ID/@schemeID",
        "An item number's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    Rule(
        "BR-CL-22",
        "//cbc:TaxExemptionReasonCode",
        "A VAT exemption reason is not in the VATEX list.",
        codes=codelists.EXEMPTION_REASONS,
    ),
    Rule(
        "BR-CL-24",
        "//cbc:EmbeddedDocumentBinaryObject/@mimeCode",
        "An attachment is of a type that invoices may not carry.",
        codes=codelists.MEDIA_TYPES,
    ),
    Rule(
        "BR-CL-25",
        "//cbc:EndpointID/@schemeID",
        "An electronic address's scheme is not in the EAS list.",
        codes=codelists.ELECTRONIC_ADDRESS_SCHEMES,
    ),
    Rule(
        "BR-CL-26",
        "//cac:DeliveryLocation/cbc:ID/@schemeID",
        "A delivery location's scheme is not in ISO 6523.",
        codes=codelists.IDENTIFIER_SCHEMES,
    ),
    decimals("BR-DEC-01", f"/*/{_DOWN}/cbc:Amount", "amount of an allowance"),
    decimals("BR-DEC-05", f"/*/{_UP}/cbc:Amount", "amount of a charge"),
    decimals("BR-DEC-09", f"/*/{TOTAL}/cbc:*", "invoice's totals block"),
    decimals("BR-DEC-19", "//cac:TaxSubtotal/cbc:TaxableAmount | //cac:TaxSubtotal/cbc:TaxAmount", "VAT breakdown"),
    decimals("BR-DEC-23", f"({LINES})/cbc:LineExtensionAmount", "net amount of a line"),
)

UBL = Syntax(
    name="UBL",
    reader="einvoice-ubl/1",
    roots=frozenset({f"{{{NAMESPACE}Invoice-2}}Invoice", f"{{{NAMESPACE}CreditNote-2}}CreditNote"}),
    namespaces=NAMESPACES,
    header=HEADER,
    lines=LINES,
    line=LINE,
    tables={
        "vat": ("cac:TaxTotal/cac:TaxSubtotal", BREAKDOWN),
        "allowance": (_DOWN, ADJUSTMENT),
        "charge": (_UP, ADJUSTMENT),
    },
    notes=("cbc:Note", f"({LINES})/cbc:Note"),
    rules=RULES,
)
