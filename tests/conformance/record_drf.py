# mypy: disable-error-code="import-not-found,import-untyped,misc,no-untyped-call"
"""Records the answers of the original application in `drf_answers.json`.

The application is written here as the contract describes it: Django, Django REST Framework and simplejwt, with an
in-memory database, called through WSGI so that odd headers and bodies arrive byte for byte. Only re-recording needs
these packages; the tests read the file. Use the Python version that the gateway runs on (3.11): the texts of JSON
errors are the standard library's. From the top of the repository:

    python -m venv var/drf && var/drf/bin/pip install django djangorestframework djangorestframework-simplejwt
    var/drf/bin/python -m tests.conformance.record_drf
"""

import base64
import io
import json
import logging
import secrets
import uuid
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

import django
from django.conf import settings

from tests.support.tokens import special_tokens

from .shapes import Answer, Case, filled, masked
from .table import CASES

KEY = "the-key-of-the-recording-" + "k" * 40
PASSWORD = "correct horse"
KEPT_HEADERS = ("content-type", "www-authenticate", "allow")

settings.configure(
    SECRET_KEY=KEY,
    DEBUG=False,
    USE_TZ=True,
    TIME_ZONE="UTC",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
    ],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": [
            "rest_framework.parsers.JSONParser",
            "rest_framework.parsers.FormParser",
            "rest_framework.parsers.MultiPartParser",
        ],
    },
)
django.setup()

# Django's modules can be imported only now.
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import connection, models
from django.urls import path
from rest_framework import generics, permissions, serializers
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import (
    TokenObtainPairView,
    TokenRefreshView,
    TokenVerifyView,
)


class Task(models.Model):
    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    time_created = models.DateTimeField(auto_now_add=True)
    time_modified = models.DateTimeField(auto_now=True)
    task = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    completed = models.BooleanField(default=False)

    class Meta:
        app_label = "tasks"


class TaskSerializer(serializers.ModelSerializer):
    class Meta:
        model = Task
        fields = ("uuid", "user_id", "time_created", "time_modified", "task", "description", "completed")
        extra_kwargs: ClassVar[dict[str, Any]] = {"description": {"max_length": 10000}}


class RegisterSerializer(serializers.ModelSerializer):
    password = serializers.CharField(
        write_only=True,
        trim_whitespace=False,
        min_length=8,
        max_length=128,
        error_messages={
            "min_length": "This password is too short. It must contain at least {min_length} characters."
        },
    )

    class Meta:
        model = User
        fields = ("id", "username", "password")

    def create(self, validated_data: dict[str, str]) -> Any:
        return User.objects.create_user(**validated_data)


class Register(generics.CreateAPIView):
    serializer_class = RegisterSerializer
    permission_classes = (permissions.AllowAny,)


class _OwnTasks(generics.GenericAPIView):
    serializer_class = TaskSerializer

    def get_queryset(self) -> Any:
        return Task.objects.filter(user=self.request.user).order_by("time_created")

    def perform_create(self, serializer: Any) -> None:
        serializer.save(user=self.request.user)


class TaskListCreate(_OwnTasks, generics.ListCreateAPIView):
    pass


class TaskRetrieveUpdateDestroy(_OwnTasks, generics.RetrieveUpdateDestroyAPIView):
    def put(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return self.partial_update(
            request, *args, **kwargs
        )  # on purpose: fields that are left out keep their value


urlpatterns = [
    path("", TaskListCreate.as_view()),
    path("task/<str:pk>/", TaskRetrieveUpdateDestroy.as_view()),
    path("register/", Register.as_view()),
    path("login/", TokenObtainPairView.as_view()),
    path("token-refresh/", TokenRefreshView.as_view()),
    path("token-verify/", TokenVerifyView.as_view()),
]


def _user(password: str = PASSWORD) -> Any:
    return User.objects.create_user("u" + secrets.token_hex(6), password=password)


def _placeholders() -> dict[str, str]:
    """The values of the placeholders: a new user with two tasks, and the other users that cases need."""
    user, other, lonely, inactive = (_user() for _ in range(4))
    spaced = _user(f"  {PASSWORD}  ")
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    first = Task.objects.create(user=user, task="First task", description="Some words")
    second = Task.objects.create(user=user, task="Second task", completed=True)
    session, ended = RefreshToken.for_user(user), RefreshToken.for_user(user)
    ended.blacklist()
    return {
        "username": user.username,
        "USERNAME": user.username.upper(),
        "wide_username": "".join(chr(ord(letter) + 0xFEE0) for letter in user.username),
        "password": PASSWORD,
        "access": str(session.access_token),
        "refresh": str(session),
        "task": str(first.pk),
        "TASK": str(first.pk).upper(),
        "task_hex": first.pk.hex,
        "task2": str(second.pk),
        "missing": str(uuid.uuid4()),
        "new": "n" + secrets.token_hex(6)[:11],
        "number": str(100_000_000 + secrets.randbelow(900_000_000)),
        "other_task": str(Task.objects.create(user=other, task="Not yours").pk),
        "lonely_access": str(RefreshToken.for_user(lonely).access_token),
        "inactive_username": inactive.username,
        "spaced_username": spaced.username,
        "blacklisted_refresh": str(ended),
        "revoked_access": str(ended.access_token),
        **special_tokens(KEY, str(user.pk), str(inactive.pk)),
    }


def _environ(case: Case, placeholders: dict[str, str]) -> dict[str, Any]:
    request = case["request"]
    encoded = request.get("encoding") == "base64"
    text = request["body"]
    body = base64.b64decode(text) if encoded else filled(text, placeholders).encode()
    address, _, query = filled(request["path"], placeholders).partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request["method"],
        "PATH_INFO": unquote_to_bytes(address).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
    }
    for name, value in request["headers"].items():
        key = name.upper().replace("-", "_")
        # A server strips the white space around a header's value.
        environ[key if key == "CONTENT_TYPE" else "HTTP_" + key] = filled(value, placeholders).strip(" \t")
    return environ


def _named(body: object, placeholders: dict[str, str]) -> object:
    """The body with the names that a case made up replaced by placeholders."""
    if isinstance(body, list):
        return [_named(item, placeholders) for item in body]
    if isinstance(body, dict):
        return {key: _named(value, placeholders) for key, value in body.items()}
    if isinstance(body, str):
        for name in ("new", "number", "username", "USERNAME"):
            body = body.replace(placeholders[name], "{" + name + "}")
    return body


def _answer(handler: WSGIHandler, case: Case, placeholders: dict[str, str]) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        started.append((status, headers))

    content = b"".join(handler(_environ(case, placeholders), start)).decode()
    status, headers = started[0]
    body: object = "" if case["request"]["method"] == "HEAD" else content
    kept = {name.lower(): value for name, value in headers if name.lower() in KEPT_HEADERS}
    if body and kept["content-type"].startswith("application/json"):
        body = _named(masked(json.loads(content)), placeholders)
    return {"status": int(status.split()[0]), "headers": dict(sorted(kept.items())), "body": body}


def _with_rev(body: object, rev: int) -> object:
    if isinstance(body, list):
        return [_with_rev(item, rev) for item in body]
    if isinstance(body, dict) and "uuid" in body and "completed" in body and "time_created" in body:
        return {**body, "rev": rev}
    return body


def _recorded(handler: WSGIHandler, case: Case) -> Case:
    response = _answer(handler, case, _placeholders())
    recorded: Case = {**case, "response": response}
    ours = _with_rev(response["body"], 2 if case["request"]["method"] in ("PUT", "PATCH") else 1)
    if "contract" not in case and ours != response["body"]:
        recorded["contract"] = {**response, "body": ours}
        recorded["why"] = "rev is a new key"
    return recorded


def main() -> None:
    logging.disable(logging.CRITICAL)  # 500s are expected among the answers
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Task)
    names = [case["name"] for case in CASES]
    repeated = {name for name in names if names.count(name) > 1}
    assert not repeated, repeated
    handler = WSGIHandler()
    answers = [_recorded(handler, case) for case in CASES]
    target = Path(__file__).with_name("drf_answers.json")
    target.write_text(json.dumps(answers, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{len(answers)} answers, {sum('contract' in case for case in answers)} where the contract differs")


if __name__ == "__main__":
    main()
