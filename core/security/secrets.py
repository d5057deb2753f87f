"""Encryption of secrets at rest, with ``SECRET_KEY``."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from core.errors import SyncError

PREFIX = "enc:"
MASK = "***"

_SECRET_NAME = re.compile(
    r"auth|token|key|secret|cookie|passw|pwd|signature|session|credential|bearer|private", re.I
)
# Twenty characters without a space that mix letters and digits look like a credential.
_SECRET_SHAPE = re.compile(r"^(?=.*[A-Za-z])(?=.*\d)[^\s/;,]{20,}$")


class SecretUnreadable(SyncError):
    """A stored secret was encrypted with another ``SECRET_KEY``."""

    kind = "secret"


class SecretBox:
    """Encrypts and decrypts single values (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, key: str) -> None:
        # Any passphrase works as SECRET_KEY: Fernet wants exactly 32 bytes in base64.
        self._secret = key.encode()
        digest = hashlib.sha256(self._secret).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def derived_key(self, purpose: str) -> bytes:
        """A key for ``purpose`` alone, which says nothing about the one for secrets."""
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).digest()

    def seal(self, value: str) -> str:
        """The encrypted form of ``value``, which starts with ``enc:``."""
        return PREFIX + self._fernet.encrypt(value.encode()).decode()

    def open(self, sealed: str) -> str:
        """The value behind ``sealed``. Raises SecretUnreadable when the key does not fit.

        A value that was stored before secrets were encrypted is given back as it is.
        """
        if not is_sealed(sealed):
            return sealed
        try:
            return self._fernet.decrypt(sealed.removeprefix(PREFIX).encode()).decode()
        except InvalidToken:
            raise SecretUnreadable(
                "A stored key can't be decrypted.",
                action="Start with the SECRET_KEY it was stored with, or enter the key again.",
            ) from None


def is_sealed(value: str) -> bool:
    """Whether ``value`` is the encrypted form of a secret."""
    return value.startswith(PREFIX)


def is_secret_header(name: str, value: str) -> bool:
    """Whether a header is kept encrypted and never shown: by its name, or by its value's shape."""
    return bool(_SECRET_NAME.search(name)) or bool(_SECRET_SHAPE.match(value))


def load_secret_key(data_dir: Path) -> str:
    """The key in ``DATA_DIR/secret.key``, generated at first use, readable by its owner alone."""
    path = data_dir / "secret.key"
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and linked into place: of two processes starting at once, one key wins
        # and nobody ever reads half a file.
        aside = data_dir / f".secret.key.{os.getpid()}"
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(Fernet.generate_key().decode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
    key = path.read_text().strip()
    if not key:
        raise SecretUnreadable(
            f"{path} is empty.",
            action="Restore it from a backup; without it the stored keys can't be decrypted.",
        )
    return key
