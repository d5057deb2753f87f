"""Every error the product raises on purpose, in one tree.

::

    DeskError
    ├── RequestError                what was asked for can't be done; the API answers `status`
    │   ├── InvalidRequest          422  a field has an unusable value
    │   ├── NotSignedIn             401
    │   ├── NotAllowed              403
    │   ├── NotFound                404  unknown page, link or run
    │   ├── Conflict                409  it is there already, or somebody changed it meanwhile
    │   ├── TooLarge                413
    │   ├── TooManyAttempts         429  too many wrong passwords; says when to try again
    │   └── StoreAway               503  the document store does not answer
    ├── SyncError                   why a sync run failed; shown to operators as it stands
    │   ├── FetchError              the CRM could not be asked or did not answer well
    │   │   ├── AddressRefused      permanent  the address is not one we may fetch
    │   │   ├── RequestRejected     permanent  the CRM answered 4xx
    │   │   ├── AuthorizationRefused  permanent  no token is to be had (OAuth 2.0)
    │   │   ├── QueryRefused        permanent  the query is refused, or answered with errors
    │   │   ├── RateLimited         retryable  429, or 503 with Retry-After
    │   │   ├── ServerFailed        retryable  5xx
    │   │   ├── ConnectionFailed    retryable  DNS, TLS, refused, broken off
    │   │   └── TimedOut            retryable  no answer in time
    │   └── AnswerError             permanent  the CRM answered, with something unusable
    │       ├── NotReadable         not valid JSON, a web page, bytes that are no text
    │       ├── EmptyAnswer         nothing in it
    │       ├── InvalidRecords      too many records are not as the link's rules want them
    │       ├── PaginationFailed    a page repeats, or is missing, or leads nowhere
    │       ├── Truncated           fewer records came than the CRM says there are
    │       └── LimitExceeded       too many bytes, pages or records; too deep
    ├── ChannelFailed               an answer could not be sent; says whether it is permanent
    ├── ModelFailed                 the language model did not word a reply; it is quoted instead
    └── RunStopped                  the run ends without being a failure of the CRM
        ├── LeaseLost               another scheduler took the link over
        ├── SchedulerStopped        the scheduler is being stopped; the link is synced by the next
        ├── Held                    far fewer records than served: a person decides
        └── Cancelled               a person cancelled it

`message` says what happened and `action` what to do, both in the operator's words. `permanent`
says that trying again right away cannot help. `kind` is a stable word for logs and filters.
"""

from __future__ import annotations


class DeskError(Exception):
    """Base of all errors raised on purpose."""

    permanent = True

    def __init__(self, message: str, *, action: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.action = action

    def __str__(self) -> str:
        return f"{self.message} {self.action}".strip()


class RequestError(DeskError):
    """A request by a person or a program that can't be carried out."""

    status = 400
    title = "Bad request"


class InvalidRequest(RequestError):
    """A field has an unusable value; ``field`` names it."""

    status = 422
    title = "Invalid field"

    def __init__(self, field: str, message: str, *, action: str = "") -> None:
        super().__init__(message, action=action)
        self.field = field


class NotSignedIn(RequestError):
    """No valid session."""

    status = 401
    title = "Not signed in"


class NotAllowed(RequestError):
    """The account's role does not permit it."""

    status = 403
    title = "Not allowed"


class NotFound(RequestError):
    """There is no such page, link or run."""

    status = 404
    title = "Not found"


class Conflict(RequestError):
    """It exists already, or was changed by someone else meanwhile."""

    status = 409
    title = "Conflict"


class TooLarge(RequestError):
    """The request's body is over the limit."""

    status = 413
    title = "Request too large"


class TooManyAttempts(RequestError):
    """Too many wrong passwords; ``retry_after`` is in seconds."""

    status = 429
    title = "Too many attempts"
    permanent = False

    def __init__(self, message: str, *, retry_after: int, action: str = "") -> None:
        super().__init__(message, action=action)
        self.retry_after = retry_after


class StoreAway(RequestError):
    """The document store does not answer."""

    status = 503
    title = "Store not reachable"
    permanent = False


class SyncError(DeskError):
    """A sync run failed. ``kind`` is a stable word, ``message`` and ``action`` are for people."""

    kind = "error"


class FetchError(SyncError):
    """The CRM could not be asked, or did not answer well."""

    kind = "fetch"


class AddressRefused(FetchError):
    """The link's address is not one the fetcher may reach."""

    kind = "address"


class RequestRejected(FetchError):
    """The CRM answered with a 4xx (or a redirect, which is not followed)."""

    kind = "rejected"

    def __init__(self, status: int, message: str, *, action: str = "") -> None:
        super().__init__(message, action=action)
        self.status = status
        self.kind = {401: "unauthorized", 403: "forbidden", 404: "not_found"}.get(
            status, "rejected"
        )


class AuthorizationRefused(FetchError):
    """The CRM gives no token: the client or the grant is refused."""

    kind = "oauth"


class QueryRefused(FetchError):
    """A database or a GraphQL API refuses the query, or answers it with errors."""

    kind = "query"


class RateLimited(FetchError):
    """429, or 503 with Retry-After. ``retry_after`` is in seconds, None when not given."""

    kind = "rate_limited"
    permanent = False

    def __init__(self, message: str, *, retry_after: float | None, action: str = "") -> None:
        super().__init__(message, action=action)
        self.retry_after = retry_after


class ServerFailed(FetchError):
    """The CRM answered 5xx."""

    kind = "server_error"
    permanent = False


class ConnectionFailed(FetchError):
    """No connection, or it broke off. ``kind`` is dns, tls, connect or broken."""

    permanent = False

    def __init__(self, kind: str, message: str, *, action: str = "") -> None:
        super().__init__(message, action=action)
        self.kind = kind


class TimedOut(FetchError):
    """The CRM did not answer in time."""

    kind = "timeout"
    permanent = False


class AnswerError(SyncError):
    """The CRM answered, with something that can't be used."""

    kind = "answer"


class NotReadable(AnswerError):
    """Not valid JSON, a web page instead of data, or bytes that are no text."""

    kind = "not_readable"


class EmptyAnswer(AnswerError):
    """The CRM answered with nothing at all."""

    kind = "empty"


class InvalidRecords(AnswerError):
    """More records than the link allows are not as its rules want them."""

    kind = "invalid"


class PaginationFailed(AnswerError):
    """A page or cursor repeats, a page has no records where the others have, or leads nowhere."""

    kind = "pagination"


class Truncated(AnswerError):
    """Fewer records came than the CRM itself says there are."""

    kind = "truncated"


class LimitExceeded(AnswerError):
    """More bytes, pages, records or nesting than allowed."""

    kind = "limit"


class ChannelFailed(DeskError):
    """Facebook does not take an answer; ``permanent`` when it never will."""

    def __init__(self, message: str, *, permanent: bool, action: str = "") -> None:
        super().__init__(message, action=action)
        self.permanent = permanent


class ModelFailed(DeskError):
    """The language model is away, refuses, or answers with something unusable."""

    permanent = False


class RunStopped(DeskError):
    """The run ended early, by no fault of the CRM."""


class LeaseLost(RunStopped):
    """Another scheduler holds the link now; this run may not publish."""


class SchedulerStopped(RunStopped):
    """The scheduler is being stopped; the link is due again at once."""


class Held(RunStopped):
    """Publishing would take away most of what is served; a person decides.

    ``records`` is how many records came.
    """

    kind = "shrink"

    def __init__(self, message: str, *, records: int, action: str = "") -> None:
        super().__init__(message, action=action)
        self.records = records


class Cancelled(RunStopped):
    """A person cancelled the run."""
