"""A CRM link as it is described from outside, in a request, a form or a file: checked, typed.

Unusable values raise ``pydantic.ValidationError``, which names the field.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)

from core.connectors.interface import JsonPath
from core.connectors.registry import connector_of
from core.links.described import NewLink
from core.models import (
    Channel,
    FetchOptions,
    Format,
    Incremental,
    LinkType,
    Pagination,
    PaginatorType,
)
from core.security.secrets import check_env_reference
from core.text.redact import Action, check_rule_path
from core.text.transform import FieldPath, Step
from core.text.validate import Rules

# RFC 9110: a field name is a token, a value has no line breaks and no control characters.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# The connection's own business: set here, they could break the request apart.
_OWN_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te"}


def _plain(value: str) -> str:
    value = value.strip()
    if not value:
        raise ValueError("must not be empty")
    if not value.isprintable():
        raise ValueError("must not have line breaks or control characters")
    return value


def _distinct(channels: list[Channel]) -> list[Channel]:
    return list(dict.fromkeys(channels))


Name = Annotated[StrictStr, Field(max_length=200), AfterValidator(_plain)]
PageId = Annotated[StrictStr, Field(max_length=100), AfterValidator(_plain)]
Url = Annotated[StrictStr, Field(max_length=4000), AfterValidator(_plain)]
Param = Annotated[StrictStr, Field(max_length=200), AfterValidator(_plain)]
Channels = Annotated[list[Channel], Field(min_length=1, max_length=10), AfterValidator(_distinct)]


class Body(BaseModel):
    """A request body. Unknown fields are refused: a misspelt one would be lost in silence."""

    model_config = ConfigDict(extra="forbid")


class PaginationBody(Body):
    """How the next page is found; paths are JSONPaths (RFC 9535)."""

    type: PaginatorType = PaginatorType.AUTO
    next_path: JsonPath | None = None
    cursor_path: JsonPath | None = None
    cursor_param: Param | None = None
    page_param: Param | None = None
    first_page: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    offset_param: Param | None = None
    limit_param: Param | None = None
    page_size: Annotated[int, Field(ge=1, le=100_000)] | None = None
    total_path: JsonPath | None = None


class IncrementalBody(Body):
    """Asking only for what changed: ``?param={the greatest value of field seen}``."""

    param: Param
    field: Param
    full_every_hours: float = Field(24, gt=0, le=24 * 365)


class RedactionRule(Body):
    """What becomes of the fields at a path (``customers[].notes``, or a bare name)."""

    path: Annotated[StrictStr, Field(max_length=500), AfterValidator(check_rule_path)]
    action: Action


class NewLinkBody(Body):
    """A CRM link to be added to channels of a page."""

    page_id: PageId
    channels: Channels
    name: Name
    url: Url
    type: LinkType = LinkType.API
    api_key: StrictStr | None = Field(None, max_length=8000)
    headers: dict[StrictStr, StrictStr] | None = Field(None, max_length=50)
    description: StrictStr | None = Field(None, max_length=2000)
    is_active: StrictBool = True
    sync_interval_minutes: float | None = Field(None, gt=0, le=60 * 24 * 7)
    shrink_threshold: float | None = Field(None, ge=0, le=1)
    method: Literal["GET", "POST"] = "GET"
    params: dict[Param, Annotated[StrictStr, Field(max_length=4000)]] | None = Field(
        None, max_length=50
    )
    body: dict[str, Any] | None = None
    pagination: PaginationBody | None = None
    records: JsonPath | None = None
    id_field: Param | None = None
    incremental: IncrementalBody | None = None
    format: Format = Format.AUTO
    follow_redirects: StrictBool = False
    options: dict[str, Any] | None = Field(None, max_length=50)
    transform: list[Step] | None = Field(None, max_length=50)
    validation: Rules | None = None
    match_key: FieldPath | None = None
    redaction: list[RedactionRule] | None = Field(None, max_length=200)

    @model_validator(mode="after")
    def _options_fit_the_type(self) -> NewLinkBody:
        try:
            checked = connector_of(self.type).options.model_validate(self.options or {})
        except ValidationError as error:
            item = error.errors()[0]
            field = ".".join(["options", *(str(part) for part in item["loc"])])
            message = item["msg"].removeprefix("Value error, ")
            raise ValueError(f"{field}: {message}") from None
        self.options = checked.model_dump(mode="json", exclude_defaults=True)
        for name in connector_of(self.type).secret_options & self.options.keys():
            check_env_reference(str(self.options[name]))
        return self

    @model_validator(mode="after")
    def _body_goes_with_post(self) -> NewLinkBody:
        if self.body is not None and self.method != "POST":
            raise ValueError("body: only a POST has a body")
        return self

    @field_validator("api_key")
    @classmethod
    def _sendable_key(cls, value: str | None) -> str | None:
        if value is not None and not _HEADER_VALUE.fullmatch(value):
            raise ValueError("has a line break or another character that HTTP does not allow")
        if value is not None:
            check_env_reference(value)
        return value.strip() if value and value.strip() else None

    @field_validator("headers")
    @classmethod
    def _sendable_headers(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for name, content in (value or {}).items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a header name")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name} is set by the product itself")
            if not _HEADER_VALUE.fullmatch(content) or len(content) > 8000:
                raise ValueError(f"the value of {name} has a character that HTTP does not allow")
            try:
                check_env_reference(content)
            except ValueError as error:
                raise ValueError(f"the value of {name} {error}") from None
        return value

    def to_new_link(self) -> NewLink:
        """The link that is described."""
        return NewLink(
            name=self.name,
            url=self.url,
            type=self.type,
            api_key=self.api_key,
            headers=self.headers or {},
            description=self.description or "",
            is_active=self.is_active,
            sync_interval_minutes=self.sync_interval_minutes,
            shrink_threshold=self.shrink_threshold,
            fetch=FetchOptions(
                method=self.method,
                params=self.params or {},
                body=None if self.body is None else json.dumps(self.body),
                pagination=Pagination(**(self.pagination or PaginationBody()).model_dump()),
                records=self.records,
                id_field=self.id_field,
                incremental=Incremental(**self.incremental.model_dump())
                if self.incremental
                else None,
                format=self.format,
                follow_redirects=self.follow_redirects,
            ),
            options=self.options or {},
            transform=tuple(
                step.model_dump(mode="json", exclude_defaults=True) for step in self.transform or ()
            ),
            validation=self.validation.model_dump(mode="json", exclude_defaults=True)
            if self.validation
            else {},
            match_key=self.match_key,
            redaction=tuple(
                {"path": rule.path, "action": rule.action.value} for rule in self.redaction or ()
            ),
        )
