"""What the sample CRM holds: made-up people and orders, always the same."""

from __future__ import annotations

import random
from typing import Any

_FIRST = (
    "Maria",
    "John",
    "Aisha",
    "Wei",
    "Lucas",
    "Elena",
    "Omar",
    "Priya",
    "Jonas",
    "Chloe",
    "Mateo",
    "Sofia",
    "Noah",
    "Yuki",
    "Amara",
)
_LAST = (
    "Garcia",
    "Smith",
    "Khan",
    "Zhang",
    "Silva",
    "Rossi",
    "Haddad",
    "Patel",
    "Weber",
    "Martin",
    "Lopez",
    "Novak",
    "Brown",
    "Sato",
)
_CITIES = (
    "Lisbon",
    "Austin",
    "Lahore",
    "Taipei",
    "Recife",
    "Milan",
    "Beirut",
    "Pune",
    "Hamburg",
    "Lyon",
    "Quito",
    "Prague",
)
_PRODUCTS = (
    ("Trail running shoes", 89.90),
    ("Rain jacket", 129.00),
    ("Merino socks", 14.50),
    ("Camping stove", 54.95),
    ("Water filter", 39.00),
    ("Headlamp", 27.90),
)
_STATES = ("processing", "shipped", "delivered", "returned")


def customers(count: int = 30) -> dict[str, Any]:
    """Shop customers."""
    pick = random.Random(7)  # noqa: S311  (sample data)
    return {
        "customers": [
            {
                "id": f"cust-{100 + number}",
                "name": f"{_FIRST[number % len(_FIRST)]} {_LAST[number % len(_LAST)]}",
                "email": f"{_FIRST[number % len(_FIRST)].lower()}{number}@example.com",
                "city": pick.choice(_CITIES),
                "loyalty_points": pick.randrange(0, 900, 10),
                "tags": pick.sample(["vip", "newsletter", "wholesale", "gift card"], 2),
            }
            for number in range(count)
        ]
    }


def orders(count: int = 40) -> dict[str, Any]:
    """Orders of those customers."""
    pick = random.Random(11)  # noqa: S311  (sample data)
    found = []
    for number in range(count):
        items = pick.sample(_PRODUCTS, pick.randint(1, 3))
        found.append(
            {
                "order_number": f"SO-{5000 + number}",
                "customer_id": f"cust-{100 + number % 30}",
                "status": pick.choice(_STATES),
                "total": round(sum(price for _, price in items), 2),
                "currency": "EUR",
                "items": [{"product": name, "price": price} for name, price in items],
                "placed_on": f"2026-{pick.randint(6, 11):02}-{pick.randint(1, 28):02}",
            }
        )
    return {"data": {"orders": found}, "count": count}


def contacts(count: int = 20) -> dict[str, Any]:
    """Contacts of the garden centre."""
    pick = random.Random(13)  # noqa: S311  (sample data)
    return {
        "results": [
            {
                "id": str(9000 + number),
                "properties": {
                    "firstname": _FIRST[(number * 4) % len(_FIRST)],
                    "lastname": _LAST[(number * 5) % len(_LAST)],
                    "company": f"{pick.choice(_CITIES)} Gardens",
                    "lifecyclestage": pick.choice(["lead", "customer", "evangelist"]),
                    "phone": f"+49 30 555 {pick.randrange(1000, 9999)}",
                },
            }
            for number in range(count)
        ]
    }


FAQ = """Opening hours
Our shop is open Monday to Saturday from 9 to 19, and closed on Sundays and public holidays.

Returns
Unworn goods can be sent back within 30 days. The return label is free; the refund takes five
working days after the parcel has arrived.

Shipping
Orders placed before 14:00 leave on the same day. Within the country they take two days, to the
rest of Europe four to six. Shipping is free from 60 euros on.

Gift cards
Gift cards are sold in the shop and online, never expire, and can be used in parts.
"""
