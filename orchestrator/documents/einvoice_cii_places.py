"""Where UN/CEFACT Cross Industry Invoice (D16B and later, as in ZUGFeRD and Factur-X) carries the terms of EN 16931-1.

The binding follows CEN/TS 16931-3-3. Rule ids are those of EN 16931-1.
"""

from orchestrator.documents.einvoice_places import Place, amount, date, joined, text, total

_DATA = "urn:un:unece:uncefact:data:standard:"
NAMESPACES = {
    "rsm": f"{_DATA}CrossIndustryInvoice:100",
    "ram": f"{_DATA}ReusableAggregateBusinessInformationEntity:100",
    "udt": f"{_DATA}UnqualifiedDataType:100",
    "qdt": f"{_DATA}QualifiedDataType:100",
}
_DEAL = "rsm:SupplyChainTradeTransaction"
_AGREED = f"{_DEAL}/ram:ApplicableHeaderTradeAgreement"
DELIVERED = f"{_DEAL}/ram:ApplicableHeaderTradeDelivery"
SETTLED = f"{_DEAL}/ram:ApplicableHeaderTradeSettlement"
SELLER = f"{_AGREED}/ram:SellerTradeParty"
BUYER = f"{_AGREED}/ram:BuyerTradeParty"
AGENT = f"{_AGREED}/ram:SellerTaxRepresentativeTradeParty"
SUM = f"{SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
MEANS = f"{SETTLED}/ram:SpecifiedTradeSettlementPaymentMeans"
_ACCOUNT = f"{MEANS}/ram:PayeePartyCreditorFinancialAccount"
_CURRENCY = f"/*/{SETTLED}/ram:InvoiceCurrencyCode"
LINES = f"{_DEAL}/ram:IncludedSupplyChainTradeLineItem"


def _vat_id(path: str) -> str:
    return f"{path}/ram:SpecifiedTaxRegistration/ram:ID[@schemeID='VA']"


def _day(path: str) -> Place:
    return date(f"{path}/udt:DateTimeString", f"{path}/qdt:DateTimeString", f"{path}/udt:Date")


def _party(path: str, prefix: str) -> dict[str, Place]:
    address = ("LineOne", "LineTwo", "LineThree", "PostcodeCode", "CityName", "CountrySubDivisionName")
    return {
        f"{prefix}.name": text(f"{path}/ram:Name"),
        f"{prefix}.trading_name": text(f"{path}/ram:SpecifiedLegalOrganization/ram:TradingBusinessName"),
        f"{prefix}.vat_id": text(_vat_id(path)),
        f"{prefix}.tax_number": text(f"{path}/ram:SpecifiedTaxRegistration/ram:ID[@schemeID='FC']"),
        f"{prefix}.legal_id": text(f"{path}/ram:SpecifiedLegalOrganization/ram:ID"),
        f"{prefix}.id": text(f"{path}/ram:ID", f"{path}/ram:GlobalID"),
        f"{prefix}.country": text(f"{path}/ram:PostalTradeAddress/ram:CountryID"),
        f"{prefix}.address": joined(" | ".join(f"{path}/ram:PostalTradeAddress/ram:{part}" for part in address)),
        f"{prefix}.email": text(f"{path}/ram:DefinedTradeContact/ram:EmailURIUniversalCommunication/ram:URIID"),
    }


HEADER = {
    "specification": text("rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"),
    "type_code": text("rsm:ExchangedDocument/ram:TypeCode"),
    "invoice_number": text("rsm:ExchangedDocument/ram:ID"),
    "issue_date": _day("rsm:ExchangedDocument/ram:IssueDateTime"),
    "due_date": _day(f"{SETTLED}/ram:SpecifiedTradePaymentTerms/ram:DueDateDateTime"),
    "tax_point_date": _day(f"{SETTLED}/ram:ApplicableTradeTax/ram:TaxPointDate"),
    "currency": text(f"{SETTLED}/ram:InvoiceCurrencyCode"),
    "tax_currency": text(f"{SETTLED}/ram:TaxCurrencyCode"),
    "buyer_reference": text(f"{_AGREED}/ram:BuyerReference"),
    "order_reference": text(f"{_AGREED}/ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID"),
    "sales_order_reference": text(f"{_AGREED}/ram:SellerOrderReferencedDocument/ram:IssuerAssignedID"),
    "contract_reference": text(f"{_AGREED}/ram:ContractReferencedDocument/ram:IssuerAssignedID"),
    "despatch_reference": text(f"{DELIVERED}/ram:DespatchAdviceReferencedDocument/ram:IssuerAssignedID"),
    "receipt_reference": text(f"{DELIVERED}/ram:ReceivingAdviceReferencedDocument/ram:IssuerAssignedID"),
    "preceding_invoice": text(f"{SETTLED}/ram:InvoiceReferencedDocument/ram:IssuerAssignedID"),
    **_party(SELLER, "seller"),
    **_party(BUYER, "buyer"),
    "payee.name": text(f"{SETTLED}/ram:PayeeTradeParty/ram:Name"),
    "representative.vat_id": text(_vat_id(AGENT)),
    "delivery.date": _day(f"{DELIVERED}/ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime"),
    "delivery.country": text(f"{DELIVERED}/ram:ShipToTradeParty/ram:PostalTradeAddress/ram:CountryID"),
    "period.start": _day(f"{SETTLED}/ram:BillingSpecifiedPeriod/ram:StartDateTime"),
    "period.end": _day(f"{SETTLED}/ram:BillingSpecifiedPeriod/ram:EndDateTime"),
    "payment_means": text(f"{MEANS}/ram:TypeCode"),
    "payment_reference": text(f"{SETTLED}/ram:PaymentReference"),
    "payment_terms": joined(f"{SETTLED}/ram:SpecifiedTradePaymentTerms/ram:Description"),
    "iban": text(f"{_ACCOUNT}/ram:IBANID", f"{_ACCOUNT}/ram:ProprietaryID"),
    "accounts": joined(f"{_ACCOUNT}/ram:IBANID | {_ACCOUNT}/ram:ProprietaryID"),
    "account_name": text(f"{_ACCOUNT}/ram:AccountName"),
    "bic": text(f"{MEANS}/ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID"),
    "line_total": amount(f"{SUM}/ram:LineTotalAmount"),
    "allowances": amount(f"{SUM}/ram:AllowanceTotalAmount"),
    "charges": amount(f"{SUM}/ram:ChargeTotalAmount"),
    "net_total": amount(f"{SUM}/ram:TaxBasisTotalAmount"),
    "tax_total": amount(
        f"{SUM}/ram:TaxTotalAmount[@currencyID = {_CURRENCY}]",
        f"{SUM}/ram:TaxTotalAmount[not(@currencyID)]",
        f"{SUM}[count(ram:TaxTotalAmount) = 1 and not({_CURRENCY})]/ram:TaxTotalAmount",
    ),
    "gross_total": amount(f"{SUM}/ram:GrandTotalAmount"),
    "prepaid": amount(f"{SUM}/ram:TotalPrepaidAmount"),
    "rounding": amount(f"{SUM}/ram:RoundingAmount"),
    "payable": amount(f"{SUM}/ram:DuePayableAmount"),
}

PRODUCT = "ram:SpecifiedTradeProduct"
_PRICE = "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice"
_QUANTITY = "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity"
LINE_SETTLED = "ram:SpecifiedLineTradeSettlement"
_LINE_TAX = f"{LINE_SETTLED}/ram:ApplicableTradeTax"
DOWN, UP = (
    f"ram:SpecifiedTradeAllowanceCharge[ram:ChargeIndicator/udt:Indicator='{flag}']" for flag in ("false", "true")
)
LINE = {
    "id": text("ram:AssociatedDocumentLineDocument/ram:LineID"),
    "name": text(f"{PRODUCT}/ram:Name"),
    "description": text(f"{PRODUCT}/ram:Description"),
    "seller_item_id": text(f"{PRODUCT}/ram:SellerAssignedID"),
    "buyer_item_id": text(f"{PRODUCT}/ram:BuyerAssignedID"),
    "order_line_id": text("ram:SpecifiedLineTradeAgreement/ram:BuyerOrderReferencedDocument/ram:LineID"),
    "quantity": amount(_QUANTITY),
    "unit": text(f"{_QUANTITY}/@unitCode"),
    "unit_price": amount(f"{_PRICE}/ram:ChargeAmount"),
    "price_base_qty": amount(f"{_PRICE}/ram:BasisQuantity"),
    "net_amount": amount(f"{LINE_SETTLED}/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"),
    "allowance_total": total(f"{LINE_SETTLED}/{DOWN}/ram:ActualAmount"),
    "charge_total": total(f"{LINE_SETTLED}/{UP}/ram:ActualAmount"),
    "tax_category": text(f"{_LINE_TAX}/ram:CategoryCode"),
    "tax_rate": amount(f"{_LINE_TAX}/ram:RateApplicablePercent"),
}

ADJUSTMENT = {
    "amount": amount("ram:ActualAmount"),
    "reason": text("ram:Reason"),
    "category": text("ram:CategoryTradeTax/ram:CategoryCode"),
    "rate": amount("ram:CategoryTradeTax/ram:RateApplicablePercent"),
}
BREAKDOWN = {
    "category": text("ram:CategoryCode"),
    "rate": amount("ram:RateApplicablePercent"),
    "base": amount("ram:BasisAmount"),
    "amount": amount("ram:CalculatedAmount"),
    "exemption_reason": text("ram:ExemptionReason", "ram:ExemptionReasonCode"),
}
