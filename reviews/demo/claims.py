"""The demo's expense claims: in order, over a limit, twice, nearly twice, too dear, too old, and too dark. Pure."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from .receipts import Photo, Shop, Till, photograph, unlit

DUTCH = ("TOTAAL", "CONTANT", "Wisselgeld", "BTW")
GERMAN = ("SUMME", "Bar", "Zurueck", "MwSt")

CAFE = Shop(
    ("Eetcafe De Kade B.V.", "Wijnhaven 60", "3011 WR Rotterdam", "KvK 61234567"), DUTCH, "Bedankt en tot ziens", 9
)
KANTINE = Shop(
    ("Hafenkantine Ulm GmbH", "Donaustr. 8", "89073 Ulm", "USt-IdNr. DE314159265"), GERMAN, "Vielen Dank", 19
)
HOTEL = Shop(("Hotel Zur Linde GmbH", "Am Markt 2", "28195 Bremen", "USt-IdNr. DE271828182"), GERMAN, "Gute Reise", 7)
STORE = Shop(
    ("Papier & Zo B.V.", "Coolsingel 9", "3012 AA Rotterdam", "KvK 70123456"), DUTCH, "Ruilen binnen 8 dagen", 21
)
GARAGE = Shop(
    ("Tankstelle Nordring KG", "Nordring 41", "30165 Hannover", "USt-IdNr. DE161803398"), GERMAN, "Sichere Fahrt", 19
)


@dataclass(frozen=True)
class DemoClaim:
    """One receipt as somebody hands it in, with what they say about it."""

    title: str
    file: str
    content: bytes
    said: dict[str, Any] = field(default_factory=dict)
    by: str = "ravi"


def claims(today: date) -> list[DemoClaim]:
    """Dates are relative to `today`."""

    def on(days: int, hour: int, minute: int) -> datetime:
        return datetime.combine(today - timedelta(days=days), time(hour, minute))

    lunch = Till(CAFE, "20418", on(3, 12, 52), (("2 Soep van de dag", "13.50"), ("2 Koffie", "6.40")), paid="20.00")
    toner = Till(STORE, "7719", on(6, 10, 14), (("Toner zwart", "64.95"), ("Papier A4 5x", "27.50")))
    dinner = Till(KANTINE, "3305", on(8, 20, 31), (("Abendkarte 4 Pers.", "112.00"), ("Wasser und Wein", "31.80")))
    fuel = Till(GARAGE, "88124", on(2, 7, 45), (("Diesel 38,21 l", "61.90"),))
    wash = Till(GARAGE, "88301", on(1, 17, 5), (("Innenreinigung", "24.90"),))
    night = Till(HOTEL, "1190", on(5, 8, 20), (("4 x Einzelzimmer", "552.00"), ("Morgenbuffet", "56.00")))
    return [
        DemoClaim("in order", "lunch.jpg", photograph(lunch), said("meals", "Lunch with the planning team")),
        DemoClaim("in order, by card", "toner.jpg", photograph(toner, Photo(turn=-0.5)), said("", "Office supplies")),
        DemoClaim("over the limit of its category", "dinner.jpg", photograph(dinner), said("meals", "Supplier dinner")),
        DemoClaim("in order, reimbursed first", "fuel.jpg", photograph(fuel), said("travel", "Visit to Hannover")),
        DemoClaim(
            "the same receipt in another photo",
            "IMG_2209.jpg",
            photograph(fuel, Photo(turn=-1.1, light=0.86, quality=60, scale=0.9)),
            said("travel", "Fuel"),
        ),
        DemoClaim("the same file by somebody else", "toner.jpg", photograph(toner, Photo(turn=-0.5)), by="ben"),
        DemoClaim("in order, for a near miss", "wash.jpg", photograph(wash), said("travel", "Car, cleaned")),
        DemoClaim(
            "same shop, day and total under another number",
            "wash-2.jpg",
            photograph(replace(wash, number="88307", at=on(1, 17, 9)), Photo(turn=0.8)),
            said("travel", "Second car, cleaned"),
        ),
        DemoClaim("over 500", "hotel.jpg", photograph(night), said("lodging", "Audit in Bremen")),
        DemoClaim("claimed for more than it says", "lunch-again.jpg", **more_than_it_says(on(4, 13, 2))),
        DemoClaim("nothing to be read", "dark.jpg", unlit(), said("meals", "Coffee")),
    ]


def said(category: str, purpose: str) -> dict[str, Any]:
    return {"category": category, "purpose": purpose} if category else {"purpose": purpose}


def more_than_it_says(at: datetime) -> dict[str, Any]:
    till = Till(CAFE, "20377", at, (("Uitsmijter", "11.50"), ("Jus d'orange", "4.75")))
    return {
        "content": photograph(till, Photo(turn=-0.3)),
        "said": {**said("meals", "Lunch on the road"), "claimed": {"amount": "18.25", "currency": "EUR"}},
    }
