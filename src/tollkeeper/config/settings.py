"""Django's settings: made from the environment, stated once."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF

from tollkeeper.config import environment

ENV = environment.read()
PORT = ENV.port

SECRET_KEY = ENV.secret("django").hex()
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver", urlsplit(ENV.public_url).hostname or ""]
CSRF_TRUSTED_ORIGINS = [ENV.public_url]

INSTALLED_APPS = [
    "tollkeeper.accounts",  # before allauth: it seals the e-mail column
    "tollkeeper.kit",
    "tollkeeper.kit.keystore",
    "tollkeeper.catalog",
    "tollkeeper.sales",
    "tollkeeper.payments",
    "tollkeeper.delivery",
    "tollkeeper.usage",
    "tollkeeper.support",
    "tollkeeper.privacy",
    "tollkeeper.web",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_htmx",
    "django_cotton",
    "lucide",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
]

ROOT_URLCONF = "tollkeeper.config.urls"
WSGI_APPLICATION = "tollkeeper.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _book() -> dict[str, Any]:
    if not ENV.database_url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ENV.book,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA secure_delete=ON;",
            },
        }
    url = urlsplit(ENV.database_url)
    if url.scheme not in ("postgres", "postgresql"):
        raise environment.BadEnvironment("DATABASE_URL must begin with postgresql://")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": url.port or "",
        "OPTIONS": {"pool": True},
    }


DATABASES = {
    "default": _book(),
    "keystore": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ENV.keystore,
        # TRUNCATE and secure_delete: a destroyed key leaves no copy in a side file or a free page
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=TRUNCATE;PRAGMA secure_delete=ON;PRAGMA synchronous=FULL;",
        },
    },
}
DATABASE_ROUTERS = ["tollkeeper.config.router.KeystoreRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = (
    {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": ENV.redis_url}}
    if ENV.redis_url
    else {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "kit_cache"}}
)

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/console/"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]

STATIC_URL = "/static/"
STATIC_ROOT = ENV.home / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.live
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {"geolocation": [], "camera": [], "microphone": []}
