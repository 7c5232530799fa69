"""Which key signs the tokens of a process, and whether it is the one that signed before."""

from __future__ import annotations

import logging
from contextlib import suppress

from shared.auth.key_file import KeyFile, fingerprint
from shared.errors import Unavailable
from shared.settings import PREFIX, Settings
from shared.store import Store

log = logging.getLogger(__name__)


async def choose_key(settings: Settings, store: Store, key_file: KeyFile | None) -> str:
    """The key of the settings; where they name none, that of ``key_file``.

    Logs a warning where it is not the key of the processes before this one, or beside it.

    Raises:
        Unavailable: the file cannot be read or made, or has no usable key.
    """
    former = await store.signing_key()
    if key_file is None:
        key, source = settings.secret_key, f"{PREFIX}SECRET_KEY"
    else:
        try:
            await key_file.open(expected=former.fingerprint is not None and former.has_users)
        except (OSError, ValueError) as error:
            raise Unavailable(f"no secret key: {error}") from error
        key, source = key_file.key, str(key_file.path)
    if fingerprint(key) == former.fingerprint:
        return key
    with suppress(Unavailable):  # a full disk: reading goes on
        await store.set_signing_key(fingerprint(key))
    is_new = former.fingerprint is not None or (key_file is not None and key_file.was_made)
    old = {fingerprint(each) for each in settings.secret_keys_old}
    if former.has_users and is_new and former.fingerprint not in old:
        log.warning(
            "the key in %s is another one than this database's was: tokens that were signed before are refused here, "
            "and those of this process wherever the other key is still in use",
            source,
        )
    return key
