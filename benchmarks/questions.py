"""1,000 customers in three CRMs, and 300 questions about them with their answers.

Everything is made from a seed: names and words are put together at random, so that no record could
have been in a model's training.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

FIRST = """
Anna Bruno Carla David Elena Farid Greta Hugo Irene Jonas Katja Liam Maria Nadia Oscar Paula
Quentin Rosa Stefan Teresa Umar Vera Walter Ximena Yusuf Zoe Aisha Boris Chiara Dmitri Esther
Felix Gloria Hanna Igor Julia Kenji Laura Marco Noemi Olivia Pedro Ruth Samir Tanja Ulrich
Viktor Wanda Yara Zeno Amelia Benedikt Cecilia Dorian Emil Fiona Gustav Helena Ivan Jasmin
""".split()  # noqa: SIM905  sixty names in a column
LAST = """
Abbott Bianchi Castro Dubois Eriksson Fischer Garcia Hoffmann Ivanov Jansen Kowalski Lombardi
Moreau Novak Okafor Petrov Quinn Rossi Schneider Tanaka Ueda Vasquez Weber Xiong Yilmaz Zimmer
Almeida Brennan Costa Delgado Engel Ferrari Gonzalez Haddad Iversen Jimenez Keller Larsen
Martinez Nielsen Oliveira Patel Reyes Santos Thompson Urban Varga Wagner Young Zhang Ahmed
Becker Chen Diaz Evans Fontaine Greco Horvath Ito Jensen
""".split()  # noqa: SIM905  sixty names in a column
DOMAINS = ["mailbox.org", "posteo.net", "webpost.io", "fastletter.com", "inbox.eu", "postbus.nl"]
CITIES = """
Lyon Porto Leeds Graz Turin Malmo Bergen Ghent Brno Krakow Seville Utrecht Basel Dublin Nantes
Bilbao Aarhus Tampere Zagreb Riga
""".split()  # noqa: SIM905  sixty names in a column
PLANS = ["Basic", "Silver", "Gold", "Platinum"]
GOODS = """desk lamp|wool blanket|coffee grinder|hiking boots|rain jacket|ceramic bowl|bread knife|
garden hose|yoga mat|travel mug|chess set|camping stove|bicycle pump|silk scarf|wall clock|
cast-iron pan|reading chair|door mat|tool box|picnic basket""".replace("\n", "").split("|")
STATES = ["pending", "packed", "shipped", "delivered", "returned", "cancelled"]

# A note that one customer has, and a question that shares no word with that customer's record.
PARAPHRASES = [
    ("Severe peanut allergy", "Who gets ill from eating nuts?"),
    ("Uses a wheelchair, needs a ramp", "Who cannot climb stairs?"),
    ("Vegetarian since childhood", "Who does not eat meat?"),
    ("Speaks only Portuguese", "Whose sole language is that of Lisbon and Brazil?"),
    ("Prefers to be called in the evening", "Who wants phone contact after work at night?"),
    ("Is getting married in June", "Whose wedding is coming soon?"),
    ("Recently moved into a new house", "Who has just changed homes?"),
    ("Expecting a baby", "Who is pregnant?"),
    ("Works as a surgeon at the hospital", "Who is a doctor performing operations?"),
    ("Plays the violin in an orchestra", "Who is a classical musician?"),
    ("Has three large dogs", "Who owns pets that bark?"),
    ("Retired school teacher", "Who used to educate children before pension?"),
    ("Afraid of flying", "Who avoids airplanes?"),
    ("Collects antique coins", "Who gathers old money as a hobby?"),
    ("Runs a bakery", "Who sells bread and cakes for a living?"),
    ("Deaf, contact in writing only", "Who can't hear a telephone?"),
    ("Complained about rude staff", "Who was upset with impolite employees?"),
    ("Climbs mountains every summer", "Who enjoys alpine ascents?"),
    ("Volunteer firefighter", "Who helps put out blazes unpaid?"),
    ("Drives an electric car", "Whose vehicle runs on batteries?"),
    ("Keeps bees on the roof", "Who produces honey?"),
    ("Photographs weddings professionally", "Who takes pictures at marriages as a job?"),
    ("Lost the front door keys", "Who got locked out?"),
    ("Lactose intolerant", "Who must avoid milk?"),
    ("Studies law at university", "Who wants to become an attorney?"),
    ("Swims every morning", "Who trains in the pool at dawn?"),
    ("Grows tomatoes on the balcony", "Who has a vegetable patch outside the apartment?"),
    ("Writes crime novels", "Who is an author of detective stories?"),
    ("Blind, uses a screen reader", "Who cannot see?"),
    ("Threatened to cancel the contract", "Who said they might quit being a client?"),
    ("Asked for a refund twice", "Who repeatedly wanted their money back?"),
    ("Pays always too late", "Whose bills are overdue?"),
    ("Works night shifts as a nurse", "Who cares for patients while others sleep?"),
    ("Sails across the Atlantic", "Who goes over the ocean by boat?"),
    ("Owns a vineyard", "Who makes wine?"),
    ("Broke a leg while skiing", "Who was injured in the snow?"),
    ("Teaches children to dance", "Who gives ballet lessons for kids?"),
    ("Won the lottery last year", "Who became rich by luck?"),
    ("Repairs old clocks", "Who fixes antique timepieces?"),
    ("Is moving to Australia", "Who emigrates down under?"),
]

FOREIGN = {
    "plan": [
        "Welchen Tarif hat {name}?",
        "¿Qué plan tiene {name}?",
        "Quel est l'abonnement de {name} ?",
        "Che piano ha {name}?",
        "Qual é o plano de {name}?",
    ],
    "phone": [
        "Wie lautet die Telefonnummer von {name}?",
        "¿Cuál es el teléfono de {name}?",
        "Quel est le numéro de téléphone de {name} ?",
        "Qual è il numero di telefono di {name}?",
        "Qual é o telefone de {name}?",
    ],
    "city": [
        "In welcher Stadt wohnt {name}?",
        "¿En qué ciudad vive {name}?",
        "Dans quelle ville habite {name} ?",
        "In quale città abita {name}?",
        "Em que cidade mora {name}?",
    ],
}
ASKED_BY_NAME = {
    "plan": ["Which plan does {name} have?", "what plan is {name} on"],
    "phone": ["What is the phone number of {name}?", "how can I call {name}?"],
    "email": ["What is {name}'s email address?", "email of {name} please"],
    "city": ["Which city does {name} live in?", "Where is {name} from?"],
}
ASKED_BY_EMAIL = {
    "plan": ["Which plan does {email} have?", "{email} plan?"],
    "phone": ["Phone number of the customer with email {email}?"],
    "name": ["Who is {email}?", "What is the name behind {email}?"],
    "city": ["Where does {email} live?"],
}
ASKED_BY_ORDER = {
    "status": ["What is the status of order {order}?", "where is my order {order}", "{order}?"],
    "total": ["How much was order {order}?", "total of {order}"],
    "item": ["What was in order {order}?", "which article did I buy with {order}?"],
}
OFF_TOPIC = [
    "What will the weather be like tomorrow?",
    "Who won the football world cup in 1998?",
    "How do I bake sourdough?",
    "What is the capital of Mongolia?",
    "Tell me a joke about elephants",
]


@dataclass(frozen=True)
class Asked:
    """A question: the keys of the records that answer it, and what a right reply contains."""

    kind: str
    text: str
    records: tuple[str, ...]
    answer: tuple[str, ...]


@dataclass
class Corpus:
    """What the three CRMs answer, by name, and the questions."""

    answers: dict[str, str] = field(default_factory=dict)
    questions: list[Asked] = field(default_factory=list)


def make(customers: int = 1000, seed: int = 7) -> Corpus:
    """The corpus; another ``seed`` gives another one of the same kind."""
    chance = random.Random(seed)
    names = [f"{first} {last}" for first in FIRST for last in LAST]
    chance.shuffle(names)
    people = [_person(number, name, chance) for number, name in enumerate(names[:customers])]
    absent = names[customers:]
    notes = dict(zip(chance.sample(range(customers), len(PARAPHRASES)), PARAPHRASES, strict=True))
    for number, (note, _) in notes.items():
        people[number]["notes"] = note
    orders = [_order(number, chance.choice(people), chance) for number in range(customers * 3 // 2)]
    tickets = [_ticket(number, chance.choice(people), chance) for number in range(customers // 2)]
    corpus = Corpus(
        {
            "crm": json.dumps({"customers": people}),
            "shop": json.dumps({"orders": orders}),
            "helpdesk": json.dumps({"tickets": tickets}),
        }
    )
    ask = corpus.questions.append
    for _ in range(60):
        ask(_about_person("name", ASKED_BY_NAME, chance.choice(people), chance))
    for _ in range(40):
        ask(_about_person("e-mail", ASKED_BY_EMAIL, chance.choice(people), chance))
    for _ in range(50):
        ask(_about_order(chance.choice(orders), chance))
    for number, (_, question) in notes.items():
        person = people[number]
        ask(Asked("paraphrase", question, (person["id"],), (person["name"],)))
    for _ in range(40):
        ask(_about_person("typo", ASKED_BY_NAME, chance.choice(people), chance))
    for _ in range(30):
        ask(_about_person("language", FOREIGN, chance.choice(people), chance))
    for number in range(20):
        ask(_comparison(number, people, orders, chance))
    for number in range(20):
        ask(_none_such(number, absent, chance))
    return corpus


def _person(number: int, name: str, chance: random.Random) -> dict[str, Any]:
    first, last = name.lower().split()
    return {
        "id": f"cust-{10_000 + number * 7}",
        "name": name,
        "email": f"{first}.{last}@{chance.choice(DOMAINS)}",
        "phone": f"+4366{chance.randrange(10**8, 10**9)}",
        "city": chance.choice(CITIES),
        "plan": chance.choice(PLANS),
        "customer_since": f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02d}",
        "notes": "",
    }


def _order(number: int, person: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    return {
        "order_number": f"SO-{40_000 + number * 13}",
        "customer": {"name": person["name"], "email": person["email"]},
        "item": chance.choice(GOODS),
        "quantity": chance.randrange(1, 5),
        "total": f"{chance.randrange(10, 400)}.{chance.randrange(100):02d}",
        "status": chance.choice(STATES),
    }


def _ticket(number: int, person: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    goods = chance.choice(GOODS)
    problem = chance.choice(
        [
            f"The {goods} arrived damaged.",
            f"I would like to exchange my {goods} for another colour.",
            f"When will the {goods} be available again?",
            "I can't sign in to my account any more.",
            "Please change the delivery address.",
        ]
    )
    return {
        "id": f"T-{7000 + number * 3}",
        "requester": person["email"],
        "subject": problem,
        "priority": chance.choice(["low", "normal", "high"]),
    }


def _about_person(
    kind: str, wordings: dict[str, list[str]], person: dict[str, Any], chance: random.Random
) -> Asked:
    wanted = chance.choice(sorted(wordings))
    name = person["name"]
    if kind == "typo":
        name = _misspelled(name, chance)
    text = chance.choice(wordings[wanted]).format(name=name, email=person["email"])
    return Asked(kind, text, (person["id"],), (person[wanted],))


def _about_order(order: dict[str, Any], chance: random.Random) -> Asked:
    wanted = chance.choice(sorted(ASKED_BY_ORDER))
    text = chance.choice(ASKED_BY_ORDER[wanted]).format(order=order["order_number"])
    return Asked("order", text, (order["order_number"],), (order[wanted],))


def _comparison(
    number: int,
    people: list[dict[str, Any]],
    orders: list[dict[str, Any]],
    chance: random.Random,
) -> Asked:
    if number % 2:
        one, two = chance.sample(orders, 2)
        text = f"Which was more expensive, order {one['order_number']} or {two['order_number']}?"
        keys = (one["order_number"], two["order_number"])
        return Asked("comparison", text, keys, (one["total"], two["total"]))
    one, two = chance.sample(people, 2)
    text = f"Who is on the better plan, {one['name']} or {two['name']}?"
    return Asked("comparison", text, (one["id"], two["id"]), (one["plan"], two["plan"]))


def _none_such(number: int, absent: list[str], chance: random.Random) -> Asked:
    name = chance.choice(absent)
    text = [
        OFF_TOPIC[number // 4 % len(OFF_TOPIC)],
        f"What is the status of order SO-{90_000 + chance.randrange(9000)}?",
        f"What is the phone number of {name.split()[0]} Quuxley?",
        f"Which plan does {'.'.join(name.lower().split())}@nowhere.example have?",
    ][number % 4]
    return Asked("none-such", text, (), ())


def _misspelled(name: str, chance: random.Random) -> str:
    first, last = name.split()
    if len(last) < 5:
        first = _one_error(first, chance)
    else:
        last = _one_error(last, chance)
    return f"{first} {last}"


def _one_error(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(3)
    if kind == 0:  # two letters exchanged
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return swapped if swapped != word else word[:at] + word[at + 1 :]
    if kind == 1:  # one left out
        return word[:at] + word[at + 1 :]
    return word[:at] + word[at] + word[at:]  # one doubled
