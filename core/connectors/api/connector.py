"""The connector of REST API links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from core.connectors.addresses import check_web_address
from core.connectors.api.fetch import fetch_pages
from core.connectors.interface import Context, Fetched, Options
from core.models import CrmLink
from core.security.network import AddressGuard

# What fits into a header as it is (RFC 6749, appendix A)
_ASCII = r"^[\x20-\x7e]*$"


class ApiOptions(Options):
    """How a REST API knows who asks.

    ``bearer`` sends the API key as a bearer token; ``basic`` as the password of ``username``;
    ``query`` as the query parameter ``key_param``; ``oauth2`` asks ``token_url`` for a token, with
    the client's id and secret alone, or with a refresh token that a person has granted.
    """

    auth: Literal["bearer", "basic", "query", "oauth2"] = "bearer"
    username: str | None = Field(None, max_length=200)
    key_param: str | None = Field(None, max_length=200)
    token_url: str | None = Field(None, max_length=4000)
    authorize_url: str | None = Field(None, max_length=4000)
    token_auth: Literal["basic", "body"] = "basic"  # noqa: S105  the name of a way
    client_id: str | None = Field(None, max_length=1000, pattern=_ASCII)
    client_secret: str | None = Field(None, max_length=8000, pattern=_ASCII)
    scope: str | None = Field(None, max_length=2000)
    refresh_token: str | None = Field(None, max_length=8000)

    @model_validator(mode="after")
    def _is_whole(self) -> ApiOptions:
        needed = {
            "basic": ("username",),
            "query": ("key_param",),
            "oauth2": ("token_url", "client_id"),
        }
        lacking = [name for name in needed.get(self.auth, ()) if not getattr(self, name)]
        if lacking:
            raise ValueError(f"{self.auth} needs {' and '.join(lacking)}")
        return self


class ApiConnector:
    """Fetches REST API links."""

    options: ClassVar[type[Options]] = ApiOptions
    secret_options: ClassVar[frozenset[str]] = frozenset({"client_secret", "refresh_token"})
    can_be_tried: ClassVar[bool] = True
    went_well: ClassVar[str] = "200 OK"

    def check(self, url: str, options: Mapping[str, Any], guard: AddressGuard) -> None:
        """Refuse what could not be fetched, as a person enters it. Raises InvalidRequest."""
        check_web_address(url, guard)
        for name in ("token_url", "authorize_url"):
            if options.get(name):
                check_web_address(options[name], guard, field=f"options.{name}")

    def fetch(self, link: CrmLink, context: Context) -> Fetched:
        """Every page of the answer. Raises FetchError, AnswerError, or what cut the watch."""
        return fetch_pages(link, context)
