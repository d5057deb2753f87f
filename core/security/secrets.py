"""Encryption of secrets at rest, with ``SECRET_KEY``, and secrets that stay in the environment."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from core.errors import SyncError

PREFIX = "enc:"
ENV_PREFIX = "env:"
MASK = "***"
KEY_FILE = "secret.key"

_SECRET_NAME = re.compile(
    r"auth|token|key|secret|cookie|passw|pwd|signature|session|credential|bearer|private", re.I
)
# Twenty characters without a space that mix letters and digits look like a credential.
_SECRET_SHAPE = re.compile(r"^(?=.*[A-Za-z])(?=.*\d)[^\s/;,]{20,}$")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
# What this product itself is trusted with: a link must not carry it off to some address.
_OWN_NAMES = re.compile(
    r"SECRET_KEY.*|ADMIN_.*|MONGODB_.*|CHROMA_.*|ALERT_.*|LLM_.*|OIDC_.*|PATH|HOME|PYTHON.*",
    re.I,
)

Keys = Callable[[], Sequence[str]]


class SecretUnreadable(SyncError):
    """A stored secret was encrypted with another ``SECRET_KEY``, or its variable is not set."""

    kind = "secret"


class SecretBox:
    """Encrypts and decrypts single values (Fernet: AES-128-CBC with HMAC-SHA256).

    ``keys`` is the key, or gives all of them: the first encrypts, any of them decrypts. They are
    asked for again when a value does not open, since another process may have rotated them.
    """

    def __init__(self, keys: str | Keys) -> None:
        self._keys: Keys = keys if callable(keys) else lambda: (keys,)
        self._known: Sequence[str] = ()
        self._fernet = self._load()

    def seal(self, value: str) -> str:
        """The encrypted form of ``value``, which starts with ``enc:``."""
        self._load()
        return PREFIX + self._fernet.encrypt(value.encode()).decode()

    def open(self, sealed: str) -> str:
        """The value behind ``sealed``, or in the variable of ``env:NAME``.

        A value that was stored before secrets were encrypted is given back as it is. Raises
        SecretUnreadable when no key fits, or the variable is not set.
        """
        if is_env_reference(sealed):
            return _from_environment(sealed.removeprefix(ENV_PREFIX))
        if not is_sealed(sealed):
            return sealed
        token = sealed.removeprefix(PREFIX).encode()
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            self._load()
        try:
            return self._fernet.decrypt(token).decode()
        except InvalidToken:
            raise SecretUnreadable(
                "A stored key can't be decrypted.",
                action="Start with the SECRET_KEY it was stored with (SECRET_KEY_PREVIOUS after a "
                "change), or enter the key again.",
            ) from None

    def reseal(self, sealed: str) -> str:
        """The same secret under the first key. Raises SecretUnreadable."""
        if not is_sealed(sealed):
            return sealed
        return self.seal(self.open(sealed))

    def _load(self) -> MultiFernet:
        keys = tuple(self._keys())
        if keys != self._known:
            self._known = keys
            self._fernet = MultiFernet([Fernet(_fernet_key(key)) for key in keys])
        return self._fernet


def _fernet_key(key: str) -> bytes:
    # Any passphrase works as SECRET_KEY: Fernet wants exactly 32 bytes in base64.
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())


def is_sealed(value: str) -> bool:
    """Whether ``value`` is the encrypted form of a secret."""
    return value.startswith(PREFIX)


def is_env_reference(value: str) -> bool:
    """Whether ``value`` names a variable, ``env:NAME``, so that nothing is stored."""
    return value.startswith(ENV_PREFIX) and bool(
        _ENV_NAME.fullmatch(value.removeprefix(ENV_PREFIX))
    )


def check_env_reference(value: str) -> None:
    """Raise ValueError when ``value`` names a variable that links may not use."""
    if is_env_reference(value) and _OWN_NAMES.fullmatch(value.removeprefix(ENV_PREFIX)):
        raise ValueError("names a setting of the desk itself; use a variable of the CRM's own")


def _from_environment(name: str) -> str:
    value = None if _OWN_NAMES.fullmatch(name) else os.environ.get(name)
    if not value:
        raise SecretUnreadable(
            f"The variable {name} is not set where the scheduler runs.",
            action="Set it and start the scheduler again, or enter the key itself.",
        )
    return value


def is_secret_header(name: str, value: str) -> bool:
    """Whether a header is kept encrypted and never shown: by its name, or by its value's shape."""
    if is_env_reference(value):
        return False
    return bool(_SECRET_NAME.search(name)) or bool(_SECRET_SHAPE.match(value))


def load_secret_keys(data_dir: Path) -> list[str]:
    """The keys in ``DATA_DIR/secret.key``, one a line, the one in use first.

    Generated at first use, readable by its owner alone.
    """
    path = data_dir / KEY_FILE
    data_dir.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # Written aside and linked into place: of two processes starting at once, one key wins
        # and nobody ever reads half a file.
        aside = _write_aside(path, [Fernet.generate_key().decode()])
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
        aside.unlink()
    keys = [line for line in path.read_text().split() if line]
    if not keys:
        raise SecretUnreadable(
            f"{path} is empty.",
            action="Restore it from a backup; without it the stored keys can't be decrypted.",
        )
    return keys


def add_secret_key(data_dir: Path) -> None:
    """Put a new key before the others; of those, the one that was in use is kept."""
    keys = load_secret_keys(data_dir)
    path = data_dir / KEY_FILE
    _write_aside(path, [Fernet.generate_key().decode(), keys[0]]).replace(path)


def _write_aside(path: Path, keys: Sequence[str]) -> Path:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return aside
