"""In which language a message is, for the few sentences that the bot says of its own."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

UNKNOWN = {
    "en": "I don't know: nothing in the records supports an answer.",
    "de": "Das weiß ich nicht: In den Daten steht nichts dazu.",
    "es": "No lo sé: nada en los datos permite responder.",
    "fr": "Je ne sais pas : rien dans les données ne permet de répondre.",
    "it": "Non lo so: nulla nei dati permette di rispondere.",
    "pt": "Não sei: nada nos dados permite responder.",
    "nl": "Dat weet ik niet: in de gegevens staat er niets over.",
}
SURE = 0.9
_lock = threading.Lock()


def unknown(message: str) -> str:
    """That it is not known, in the message's language; in English when that is not clear."""
    return UNKNOWN[language_of(message)]


def language_of(message: str) -> str:
    """The message's language among those of ``UNKNOWN``; ``en`` when that is not clear."""
    with _lock:
        language, probability = _identifier().classify(message)
    return str(language) if probability >= SURE and language in UNKNOWN else "en"


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(sorted(UNKNOWN))
    return identifier
