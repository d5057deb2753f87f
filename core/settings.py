"""Settings from the environment; all optional, and unusable values are refused at start.

Every field is documented in docs/settings.md (a test fails when one is missing there).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from standardwebhooks import Webhook


class Settings(BaseSettings):
    """The environment of one process. Raises ``pydantic.ValidationError`` on unusable values."""

    model_config = SettingsConfigDict(env_prefix="", extra="ignore", frozen=True)

    port: int = Field(8080, ge=1, le=65535)
    data_dir: Path = Path("data")
    mongodb_uri: SecretStr | None = None
    mongodb_database: str = Field("crm", min_length=1, max_length=63)
    chroma_url: str | None = None
    admin_username: str = Field("admin", min_length=1, max_length=64)
    admin_password: SecretStr | None = None
    secret_key: SecretStr | None = None
    secret_key_previous: SecretStr | None = None
    public_url: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_scopes: str = "openid profile email"
    oidc_username_claim: str = "email"
    oidc_groups_claim: str = "groups"
    oidc_roles: dict[str, Literal["viewer", "operator", "admin"]] = Field(default_factory=dict)
    session_hours: float = Field(12, gt=0, le=24 * 30)
    sync_interval_minutes: float = Field(30, gt=0, le=60 * 24 * 7)
    sync_workers: int = Field(4, ge=1, le=64)
    sync_failures_before_alert: int = Field(3, ge=1, le=1000)
    alert_webhook_url: str | None = None
    alert_webhook_secret: SecretStr | None = None
    embedding_model: str = ""
    llm_base_url: str | None = None
    llm_api_key: SecretStr | None = None
    llm_model: str | None = None
    facebook_app_secret: SecretStr | None = None
    facebook_verify_token: SecretStr | None = None
    graph_api_url: str = "https://graph.facebook.com/v25.0"
    crm_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    sqlite_dir: Path | None = None
    max_upload_bytes: int = Field(50 * 1024 * 1024, ge=1024)
    fetch_timeout_seconds: float = Field(300, gt=0, le=24 * 3600)
    max_pages: int = Field(1000, ge=1)
    max_records: int = Field(1_000_000, ge=1)
    max_bytes: int = Field(256 * 1024 * 1024, ge=1024)
    log_format: Literal["text", "json"] = "text"

    @field_validator("alert_webhook_secret")
    @classmethod
    def _signs(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                Webhook(value.get_secret_value())
            except ValueError:
                raise ValueError("is not a Standard Webhooks secret (whsec_ and base64)") from None
        return value

    @field_validator("graph_api_url", mode="before")
    @classmethod
    def _usual_graph(cls, value: object) -> object:
        return value or "https://graph.facebook.com/v25.0"

    @model_validator(mode="after")
    def _llm_is_whole(self) -> Settings:
        if self.llm_base_url and not self.llm_model:
            raise ValueError("LLM_BASE_URL needs LLM_MODEL beside it")
        return self

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> Settings:
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_roles):
            raise ValueError("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_ROLES beside it")
        return self

    @field_validator("crm_allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator(
        "mongodb_uri",
        "admin_password",
        "secret_key",
        "secret_key_previous",
        "chroma_url",
        "alert_webhook_url",
        "alert_webhook_secret",
        "sqlite_dir",
        "public_url",
        "oidc_issuer",
        "oidc_client_id",
        "oidc_client_secret",
        "llm_base_url",
        "llm_api_key",
        "llm_model",
        "facebook_app_secret",
        "facebook_verify_token",
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        # compose.yaml passes unset variables on as empty strings.
        return None if value == "" else value
