"""Which keys a process signs and verifies tokens with, and whether the first is the one that signed before."""

from __future__ import annotations

import logging
from contextlib import suppress

from shared.auth.key_file import KeyFile, fingerprint
from shared.errors import Unavailable
from shared.settings import PREFIX, Settings
from shared.store import Store

log = logging.getLogger(__name__)


async def choose_keys(
    settings: Settings, store: Store, key_file: KeyFile | None, *, others_sign: bool
) -> tuple[str, ...]:
    """The key that signs, of the settings or, where they name none, of ``key_file``; then those that only verify.

    Logs a warning where it is not the key of the processes before this one, or beside it.

    Args:
        others_sign: whether processes on other machines may sign, too. Then a key is made for the first of them alone.

    Raises:
        Unavailable: the file cannot be read or made, or has no usable key.
    """
    former = await store.signing_key()
    if key_file is None:
        keys, source = (settings.secret_key, *settings.secret_keys_old), f"{PREFIX}SECRET_KEY"
    else:
        if others_sign and former.fingerprint is not None and not key_file.path.exists():
            raise Unavailable(
                f"no secret key: this database is served with one that is not here: set {PREFIX}SECRET_KEY to it, the same on "
                f"every machine (where it was made it is in a file, here it would be {key_file.path})"
            )
        try:
            await key_file.open(expected=former.fingerprint is not None and former.has_users)
        except (OSError, ValueError) as error:
            raise Unavailable(f"no secret key: {error}") from error
        keys, source = (*key_file.keys, *settings.secret_keys_old), str(key_file.path)
    signing, *others = [fingerprint(key) for key in keys]
    if signing == former.fingerprint:
        return keys
    with suppress(Unavailable):  # a full disk: reading goes on
        await store.set_signing_key(signing)
    is_new = former.fingerprint is not None or (key_file is not None and key_file.was_made)
    if former.has_users and is_new and former.fingerprint not in others:
        log.warning(
            "the key in %s is another one than this database's was: tokens that were signed before are refused here, "
            "and those of this process wherever the other key is still in use",
            source,
        )
    return keys
