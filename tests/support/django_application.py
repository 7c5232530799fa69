# mypy: disable-error-code="import-not-found,import-untyped,misc,no-untyped-call"
"""The original application's database, made by Django, Django REST Framework and simplejwt themselves.

Runs in an environment of its own (``tests.support.django_environment``): ``python django_application.py DATABASE``, which is the
path of an SQLite file or a ``postgresql://`` URL. It writes what the application's clients know as JSON on standard output: user ids,
tasks and tokens. But for hashes and tokens, every database gets the same.
"""

import json
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

KEY = "django-insecure-" + "k(5$&)=" * 6
PASSWORD = "correct horse"


def _database(given: str) -> dict[str, Any]:
    parts = urlsplit(given)
    if parts.scheme != "postgresql":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": given}
    name, user = parts.path.removeprefix("/"), parts.username
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": user,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


settings.configure(
    SECRET_KEY=KEY,
    USE_TZ=True,
    TIME_ZONE="Europe/Berlin",
    DATABASES={"default": _database(sys.argv[1])},
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    PASSWORD_HASHERS=[
        f"django.contrib.auth.hashers.{name}PasswordHasher"
        for name in ("PBKDF2", "PBKDF2SHA1", "Scrypt", "Argon2", "BCrypt", "BCryptSHA256")
    ],
    SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": timedelta(hours=1)},
)
django.setup()

# Django's modules can be imported only now.
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, models
from rest_framework_simplejwt.tokens import RefreshToken

# As Django's, but quick
hashers.PBKDF2PasswordHasher.iterations = 1000
hashers.PBKDF2SHA1PasswordHasher.iterations = 1000
hashers.BCryptPasswordHasher.rounds = 4
hashers.BCryptSHA256PasswordHasher.rounds = 4


class Task(models.Model):
    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    time_created = models.DateTimeField(auto_now_add=True)
    time_modified = models.DateTimeField(auto_now=True)
    task = models.CharField(max_length=300)
    description = models.TextField(blank=True, null=True)
    completed = models.BooleanField(default=False)

    class Meta:
        app_label = "api"


def _user(name: str, algorithm: str | None = "pbkdf2_sha256", **more: Any) -> Any:
    encoded = hashers.make_password(None if algorithm is None else PASSWORD, hasher=algorithm or "default")
    joined = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    return User.objects.create(username=name, password=encoded, date_joined=joined, **more)


def _task(user: Any, text: str, minute: int, **more: Any) -> Any:
    task = Task.objects.create(user=user, task=text, uuid=uuid.uuid5(uuid.NAMESPACE_URL, text), **more)
    created = datetime(2024, 2, 29, 12, minute, tzinfo=UTC)
    modified = created + timedelta(days=1, microseconds=123_456)
    Task.objects.filter(pk=task.pk).update(time_created=created, time_modified=modified)
    return task


def main() -> None:
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Task)
    for algorithm in ("pbkdf2_sha256", "pbkdf2_sha1", "scrypt", "argon2", "bcrypt", "bcrypt_sha256"):
        _user(algorithm, algorithm)
    _user("gone").delete()
    ann = _user("Ann")
    _user("unusable", None)
    _user("disabled", is_active=False)
    wide = _user("\uff21\uff2e\uff2e")  # ANN in full-width letters: the same name for us
    tasks = [
        _task(ann, "Second", 2, description=None),
        _task(ann, "First", 1, description="Some words", completed=True),
        _task(ann, "x" * 256, 3),
        _task(wide, "Nobody's", 4),
    ]
    session, ended = RefreshToken.for_user(ann), RefreshToken.for_user(ann)
    ended.blacklist()
    json.dump(
        {
            "key": KEY,
            "password": PASSWORD,
            "users": {user.username: user.pk for user in User.objects.all()},
            "tasks": [str(task.uuid) for task in tasks],
            "access": str(session.access_token),
            "refresh": str(session),
            "ended": str(ended),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
