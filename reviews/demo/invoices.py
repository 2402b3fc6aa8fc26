"""Invoices for the demo, written as e-invoices by EN 16931: UBL 2.1 and UN/CEFACT CII. Pure."""

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from lxml import etree

CENT = Decimal("0.01")
SPECIFICATION = "urn:cen.eu:en16931:2017"


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True)
class Party:
    """A company. `vat_id` with its country prefix."""

    name: str
    street: str
    city: str
    zip: str
    country: str
    vat_id: str = ""
    iban: str = ""


@dataclass(frozen=True)
class Line:
    """One line; `base` is the quantity the price is for."""

    id: str
    name: str
    quantity: Decimal
    price: Decimal
    item: str
    unit: str = "C62"
    base: Decimal = Decimal(1)
    rate: Decimal = Decimal(19)

    @property
    def net(self) -> Decimal:
        return cents(self.quantity * self.price / self.base)


@dataclass(frozen=True)
class Invoice:
    """One invoice. `wrong` replaces totals by name, for invoices that do not add up."""

    number: str
    seller: Party
    buyer: Party
    issued: date
    due: date
    lines: tuple[Line, ...]
    order: str = ""
    currency: str = "EUR"
    type_code: str = "380"
    note: str = ""
    wrong: dict[str, Decimal] = field(default_factory=dict)

    @property
    def net(self) -> Decimal:
        return sum((line.net for line in self.lines), Decimal(0))

    def taxes(self) -> dict[Decimal, tuple[Decimal, Decimal]]:
        """rate → (taxable amount, tax)."""
        rates = sorted({line.rate for line in self.lines})
        bases = {rate: sum((line.net for line in self.lines if line.rate == rate), Decimal(0)) for rate in rates}
        return {rate: (base, cents(base * rate / 100)) for rate, base in bases.items()}

    def totals(self) -> dict[str, Decimal]:
        tax = sum((amount for _, amount in self.taxes().values()), Decimal(0))
        right = {"net": self.net, "tax": tax, "gross": self.net + tax, "payable": self.net + tax}
        return right | self.wrong

    def but(self, **changes: Any) -> "Invoice":
        return replace(self, **changes)


Tree = list[tuple[str, Any] | tuple[str, Any, dict[str, str]]]


def _grow(parent: etree._Element, tree: Tree, spaces: dict[str, str]) -> None:
    """Adds `(prefix:name, text or subtree, attributes)` in order; empty ones are left out."""
    for name, content, *attributes in tree:
        if content in ("", None, []):
            continue
        prefix, _, local = name.partition(":")
        child = etree.SubElement(parent, f"{{{spaces[prefix]}}}{local}", attributes[0] if attributes else {})
        if isinstance(content, list):
            _grow(child, content, spaces)
        else:
            child.text = str(content)


def _document(root: str, tree: Tree, spaces: dict[str | None, str], prefixes: dict[str, str]) -> bytes:
    element = etree.Element(root, nsmap=spaces)
    _grow(element, tree, prefixes)
    return etree.tostring(element, xml_declaration=True, encoding="UTF-8", pretty_print=True)


UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
UBL_PREFIXES = {"cbc": UBL + "CommonBasicComponents-2", "cac": UBL + "CommonAggregateComponents-2"}


def as_ubl(invoice: Invoice) -> bytes:
    """The invoice as a UBL 2.1 Invoice."""
    money, totals = {"currencyID": invoice.currency}, invoice.totals()
    tree: Tree = [
        ("cbc:CustomizationID", SPECIFICATION),
        ("cbc:ID", invoice.number),
        ("cbc:IssueDate", invoice.issued),
        ("cbc:DueDate", invoice.due),
        ("cbc:InvoiceTypeCode", invoice.type_code),
        ("cbc:Note", invoice.note),
        ("cbc:DocumentCurrencyCode", invoice.currency),
        ("cac:OrderReference", [("cbc:ID", invoice.order)] if invoice.order else []),
        ("cac:AccountingSupplierParty", [("cac:Party", _ubl_party(invoice.seller))]),
        ("cac:AccountingCustomerParty", [("cac:Party", _ubl_party(invoice.buyer))]),
        ("cac:PaymentMeans", _ubl_payment(invoice.seller)),
        ("cac:TaxTotal", _ubl_tax(invoice, money)),
        (
            "cac:LegalMonetaryTotal",
            [
                ("cbc:LineExtensionAmount", invoice.net, money),
                ("cbc:TaxExclusiveAmount", totals["net"], money),
                ("cbc:TaxInclusiveAmount", totals["gross"], money),
                ("cbc:PayableAmount", totals["payable"], money),
            ],
        ),
        *[("cac:InvoiceLine", _ubl_line(line, money)) for line in invoice.lines],
    ]
    return _document(f"{{{UBL}Invoice-2}}Invoice", tree, {None: UBL + "Invoice-2", **UBL_PREFIXES}, UBL_PREFIXES)


def _ubl_party(party: Party) -> Tree:
    address: Tree = [
        ("cbc:StreetName", party.street),
        ("cbc:CityName", party.city),
        ("cbc:PostalZone", party.zip),
        ("cac:Country", [("cbc:IdentificationCode", party.country)]),
    ]
    vat: Tree = [("cbc:CompanyID", party.vat_id), ("cac:TaxScheme", [("cbc:ID", "VAT")])]
    return [
        ("cac:PostalAddress", address),
        ("cac:PartyTaxScheme", vat if party.vat_id else []),
        ("cac:PartyLegalEntity", [("cbc:RegistrationName", party.name)]),
    ]


def _ubl_payment(seller: Party) -> Tree:
    account: Tree = [("cbc:ID", seller.iban), ("cbc:Name", seller.name)]
    return [("cbc:PaymentMeansCode", "58"), ("cac:PayeeFinancialAccount", account)]


def _category(rate: Decimal, prefix: str = "cac:TaxCategory") -> tuple[str, Tree]:
    return prefix, [
        ("cbc:ID", "S" if rate else "Z"),
        ("cbc:Percent", rate),
        ("cac:TaxScheme", [("cbc:ID", "VAT")]),
    ]


def _ubl_tax(invoice: Invoice, money: dict[str, str]) -> Tree:
    parts: Tree = [
        (
            "cac:TaxSubtotal",
            [("cbc:TaxableAmount", base, money), ("cbc:TaxAmount", tax, money), _category(rate)],
        )
        for rate, (base, tax) in invoice.taxes().items()
    ]
    return [("cbc:TaxAmount", invoice.totals()["tax"], money), *parts]


def _ubl_line(line: Line, money: dict[str, str]) -> Tree:
    unit = {"unitCode": line.unit}
    price: Tree = [("cbc:PriceAmount", line.price, money)]
    if line.base != 1:
        price.append(("cbc:BaseQuantity", line.base, unit))
    item: Tree = [
        ("cbc:Name", line.name),
        ("cac:SellersItemIdentification", [("cbc:ID", line.item)]),
        _category(line.rate, "cac:ClassifiedTaxCategory"),
    ]
    return [
        ("cbc:ID", line.id),
        ("cbc:InvoicedQuantity", line.quantity, unit),
        ("cbc:LineExtensionAmount", line.net, money),
        ("cac:Item", item),
        ("cac:Price", price),
    ]


CII = "urn:un:unece:uncefact:data:standard:"
CII_PREFIXES = {
    "rsm": CII + "CrossIndustryInvoice:100",
    "ram": CII + "ReusableAggregateBusinessInformationEntity:100",
    "udt": CII + "UnqualifiedDataType:100",
}
DAY = {"format": "102"}


def as_cii(invoice: Invoice) -> bytes:
    """The invoice as a UN/CEFACT Cross Industry Invoice D16B."""
    header: Tree = [
        ("ram:ID", invoice.number),
        ("ram:TypeCode", invoice.type_code),
        ("ram:IssueDateTime", [("udt:DateTimeString", f"{invoice.issued:%Y%m%d}", DAY)]),
        ("ram:IncludedNote", [("ram:Content", invoice.note)] if invoice.note else []),
    ]
    order: Tree = [("ram:IssuerAssignedID", invoice.order)] if invoice.order else []
    agreement: Tree = [
        ("ram:SellerTradeParty", _cii_party(invoice.seller)),
        ("ram:BuyerTradeParty", _cii_party(invoice.buyer)),
        ("ram:BuyerOrderReferencedDocument", order),
    ]
    context: Tree = [("ram:GuidelineSpecifiedDocumentContextParameter", [("ram:ID", SPECIFICATION)])]
    trade: Tree = [
        *[("ram:IncludedSupplyChainTradeLineItem", _cii_line(line)) for line in invoice.lines],
        ("ram:ApplicableHeaderTradeAgreement", agreement),
        ("ram:ApplicableHeaderTradeDelivery", [("ram:ShipToTradeParty", [("ram:Name", invoice.buyer.name)])]),
        ("ram:ApplicableHeaderTradeSettlement", _cii_settlement(invoice)),
    ]
    tree: Tree = [
        ("rsm:ExchangedDocumentContext", context),
        ("rsm:ExchangedDocument", header),
        ("rsm:SupplyChainTradeTransaction", trade),
    ]
    return _document(f"{{{CII_PREFIXES['rsm']}}}CrossIndustryInvoice", tree, dict(CII_PREFIXES), CII_PREFIXES)


def _cii_party(party: Party) -> Tree:
    address: Tree = [
        ("ram:PostcodeCode", party.zip),
        ("ram:LineOne", party.street),
        ("ram:CityName", party.city),
        ("ram:CountryID", party.country),
    ]
    tax: Tree = [("ram:ID", party.vat_id, {"schemeID": "VA"})] if party.vat_id else []
    return [
        ("ram:Name", party.name),
        ("ram:PostalTradeAddress", address),
        ("ram:SpecifiedTaxRegistration", tax),
    ]


def _cii_tax(rate: Decimal, amounts: tuple[Decimal, Decimal] | None = None) -> Tree:
    base, tax = amounts or ("", "")
    return [
        ("ram:CalculatedAmount", tax),
        ("ram:TypeCode", "VAT"),
        ("ram:BasisAmount", base),
        ("ram:CategoryCode", "S" if rate else "Z"),
        ("ram:RateApplicablePercent", rate),
    ]


def _cii_line(line: Line) -> Tree:
    unit = {"unitCode": line.unit}
    price: Tree = [("ram:ChargeAmount", line.price)]
    if line.base != 1:
        price.append(("ram:BasisQuantity", line.base, unit))
    settlement: Tree = [
        ("ram:ApplicableTradeTax", _cii_tax(line.rate)),
        ("ram:SpecifiedTradeSettlementLineMonetarySummation", [("ram:LineTotalAmount", line.net)]),
    ]
    return [
        ("ram:AssociatedDocumentLineDocument", [("ram:LineID", line.id)]),
        ("ram:SpecifiedTradeProduct", [("ram:SellerAssignedID", line.item), ("ram:Name", line.name)]),
        ("ram:SpecifiedLineTradeAgreement", [("ram:NetPriceProductTradePrice", price)]),
        ("ram:SpecifiedLineTradeDelivery", [("ram:BilledQuantity", line.quantity, unit)]),
        ("ram:SpecifiedLineTradeSettlement", settlement),
    ]


def _cii_settlement(invoice: Invoice) -> Tree:
    totals = invoice.totals()
    account: Tree = [("ram:IBANID", invoice.seller.iban), ("ram:AccountName", invoice.seller.name)]
    means: Tree = [("ram:TypeCode", "58"), ("ram:PayeePartyCreditorFinancialAccount", account)]
    due: Tree = [("ram:DueDateDateTime", [("udt:DateTimeString", f"{invoice.due:%Y%m%d}", DAY)])]
    summation: Tree = [
        ("ram:LineTotalAmount", invoice.net),
        ("ram:TaxBasisTotalAmount", totals["net"]),
        ("ram:TaxTotalAmount", totals["tax"], {"currencyID": invoice.currency}),
        ("ram:GrandTotalAmount", totals["gross"]),
        ("ram:DuePayableAmount", totals["payable"]),
    ]
    return [
        ("ram:InvoiceCurrencyCode", invoice.currency),
        ("ram:SpecifiedTradeSettlementPaymentMeans", means),
        *[("ram:ApplicableTradeTax", _cii_tax(rate, amounts)) for rate, amounts in invoice.taxes().items()],
        ("ram:SpecifiedTradePaymentTerms", due),
        ("ram:SpecifiedTradeSettlementHeaderMonetarySummation", summation),
    ]
