"""Where UBL 2.1 Invoice and CreditNote (ISO/IEC 19845) carry the terms of EN 16931-1.

The binding follows CEN/TS 16931-3-2. Rule ids are those of EN 16931-1.
"""

from orchestrator.documents.einvoice_places import Place, amount, date, joined, text, total

NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:"
NAMESPACES = {"cbc": f"{NAMESPACE}CommonBasicComponents-2", "cac": f"{NAMESPACE}CommonAggregateComponents-2"}
SELLER = "cac:AccountingSupplierParty/cac:Party"
BUYER = "cac:AccountingCustomerParty/cac:Party"
TOTAL = "cac:LegalMonetaryTotal"
_ACCOUNT = "cac:PaymentMeans/cac:PayeeFinancialAccount"
_OWN_TAX = "cac:TaxTotal[not(../cbc:DocumentCurrencyCode) or cbc:TaxAmount/@currencyID = ../cbc:DocumentCurrencyCode]"
VAT = "cac:TaxScheme[translate(normalize-space(cbc:ID), 'vat', 'VAT') = 'VAT']"
LINES = "cac:InvoiceLine | cac:CreditNoteLine"


def _party(path: str, prefix: str) -> dict[str, Place]:
    address = ("StreetName", "AdditionalStreetName", "PostalZone", "CityName", "CountrySubentity")
    return {
        f"{prefix}.name": text(f"{path}/cac:PartyLegalEntity/cbc:RegistrationName", f"{path}/cac:PartyName/cbc:Name"),
        f"{prefix}.trading_name": text(f"{path}/cac:PartyName/cbc:Name"),
        f"{prefix}.vat_id": text(f"{path}/cac:PartyTaxScheme[{VAT}]/cbc:CompanyID"),
        f"{prefix}.tax_number": text(f"{path}/cac:PartyTaxScheme[not({VAT})]/cbc:CompanyID"),
        f"{prefix}.legal_id": text(f"{path}/cac:PartyLegalEntity/cbc:CompanyID"),
        f"{prefix}.id": text(f"{path}/cac:PartyIdentification/cbc:ID"),
        f"{prefix}.country": text(f"{path}/cac:PostalAddress/cac:Country/cbc:IdentificationCode"),
        f"{prefix}.address": joined(
            " | ".join(f"{path}/cac:PostalAddress/cbc:{part}" for part in address)
            + f" | {path}/cac:PostalAddress/cac:AddressLine/cbc:Line"
        ),
        f"{prefix}.email": text(f"{path}/cac:Contact/cbc:ElectronicMail"),
    }


HEADER = {
    "specification": text("cbc:CustomizationID"),
    "type_code": text("cbc:InvoiceTypeCode", "cbc:CreditNoteTypeCode"),
    "invoice_number": text("cbc:ID"),
    "issue_date": date("cbc:IssueDate"),
    "due_date": date("cbc:DueDate", "self::*[local-name() = 'CreditNote']/cac:PaymentMeans/cbc:PaymentDueDate"),
    "tax_point_date": date("cbc:TaxPointDate"),
    "currency": text("cbc:DocumentCurrencyCode"),
    "tax_currency": text("cbc:TaxCurrencyCode"),
    "buyer_reference": text("cbc:BuyerReference"),
    "order_reference": text("cac:OrderReference/cbc:ID"),
    "sales_order_reference": text("cac:OrderReference/cbc:SalesOrderID"),
    "contract_reference": text("cac:ContractDocumentReference/cbc:ID"),
    "despatch_reference": text("cac:DespatchDocumentReference/cbc:ID"),
    "receipt_reference": text("cac:ReceiptDocumentReference/cbc:ID"),
    "preceding_invoice": text("cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID"),
    **_party(SELLER, "seller"),
    **_party(BUYER, "buyer"),
    "payee.name": text("cac:PayeeParty/cac:PartyName/cbc:Name"),
    "representative.vat_id": text(f"cac:TaxRepresentativeParty/cac:PartyTaxScheme[{VAT}]/cbc:CompanyID"),
    "delivery.date": date("cac:Delivery/cbc:ActualDeliveryDate"),
    "delivery.country": text("cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country/cbc:IdentificationCode"),
    "period.start": date("cac:InvoicePeriod/cbc:StartDate"),
    "period.end": date("cac:InvoicePeriod/cbc:EndDate"),
    "payment_means": text("cac:PaymentMeans/cbc:PaymentMeansCode"),
    "payment_reference": text("cac:PaymentMeans/cbc:PaymentID"),
    "payment_terms": joined("cac:PaymentTerms/cbc:Note"),
    "iban": text(f"{_ACCOUNT}/cbc:ID"),
    "accounts": joined(f"{_ACCOUNT}/cbc:ID"),
    "account_name": text(f"{_ACCOUNT}/cbc:Name"),
    "bic": text(f"{_ACCOUNT}/cac:FinancialInstitutionBranch/cbc:ID"),
    "line_total": amount(f"{TOTAL}/cbc:LineExtensionAmount"),
    "allowances": amount(f"{TOTAL}/cbc:AllowanceTotalAmount"),
    "charges": amount(f"{TOTAL}/cbc:ChargeTotalAmount"),
    "net_total": amount(f"{TOTAL}/cbc:TaxExclusiveAmount"),
    "tax_total": amount(f"{_OWN_TAX}/cbc:TaxAmount"),
    "gross_total": amount(f"{TOTAL}/cbc:TaxInclusiveAmount"),
    "prepaid": amount(f"{TOTAL}/cbc:PrepaidAmount"),
    "rounding": amount(f"{TOTAL}/cbc:PayableRoundingAmount"),
    "payable": amount(f"{TOTAL}/cbc:PayableAmount"),
}

_ITEM = "cac:Item"
LINE = {
    "id": text("cbc:ID"),
    "name": text(f"{_ITEM}/cbc:Name"),
    "description": text(f"{_ITEM}/cbc:Description"),
    "seller_item_id": text(f"{_ITEM}/cac:SellersItemIdentification/cbc:ID"),
    "buyer_item_id": text(f"{_ITEM}/cac:BuyersItemIdentification/cbc:ID"),
    "order_line_id": text("cac:OrderLineReference/cbc:LineID"),
    "quantity": amount("cbc:InvoicedQuantity", "cbc:CreditedQuantity"),
    "unit": text("cbc:InvoicedQuantity/@unitCode", "cbc:CreditedQuantity/@unitCode"),
    "unit_price": amount("cac:Price/cbc:PriceAmount"),
    "price_base_qty": amount("cac:Price/cbc:BaseQuantity"),
    "net_amount": amount("cbc:LineExtensionAmount"),
    "allowance_total": total("cac:AllowanceCharge[cbc:ChargeIndicator='false']/cbc:Amount"),
    "charge_total": total("cac:AllowanceCharge[cbc:ChargeIndicator='true']/cbc:Amount"),
    "tax_category": text(f"{_ITEM}/cac:ClassifiedTaxCategory/cbc:ID"),
    "tax_rate": amount(f"{_ITEM}/cac:ClassifiedTaxCategory/cbc:Percent"),
}

ADJUSTMENT = {
    "amount": amount("cbc:Amount"),
    "reason": text("cbc:AllowanceChargeReason"),
    "category": text("cac:TaxCategory/cbc:ID"),
    "rate": amount("cac:TaxCategory/cbc:Percent"),
}
BREAKDOWN = {
    "category": text("cac:TaxCategory/cbc:ID"),
    "rate": amount("cac:TaxCategory/cbc:Percent", "cbc:Percent"),
    "base": amount("cbc:TaxableAmount"),
    "amount": amount("cbc:TaxAmount"),
    "exemption_reason": text("cac:TaxCategory/cbc:TaxExemptionReason", "cac:TaxCategory/cbc:TaxExemptionReasonCode"),
}
