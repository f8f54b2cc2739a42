"""Django's settings: made from the environment, stated once."""

from __future__ import annotations

import tomllib
from typing import Any
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF

from tollkeeper.config import databases, environment

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
    "tollkeeper.kit.trail",
    "tollkeeper.catalog",
    "tollkeeper.sales",
    "tollkeeper.payments",
    "tollkeeper.delivery",
    "tollkeeper.usage",
    "tollkeeper.support",
    "tollkeeper.outbox",
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
    "tollkeeper.privacy.cookies.OnlyRegistered",  # sees the cookies of all the others
    "tollkeeper.kit.purposes.PurposeMiddleware",  # before all that reads a person's data
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tollkeeper.web.static_files.CompressPublic",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tollkeeper.privacy.cookies.PrivacySignal",
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
                "tollkeeper.web.context.face",
            ]
        },
    }
]


def _book() -> dict[str, Any]:
    if not ENV.database_url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ENV.book,
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA secure_delete=ON;",
            },
        }
    return databases.postgresql(ENV.database_url)


DATABASES = {
    "default": _book(),
    "keystore": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ENV.keystore,
        "CONN_MAX_AGE": None,
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

SEALING_STAMP = ENV.stamp()  # before the keys: what changes meanwhile is noticed later
SEALING_KEKS = ENV.secrets("kek")
SEALING_INDEXES = ENV.secrets("index")
KEY_PEPPER = ENV.secret("pepper")
JOURNAL_FOLDER = ENV.home / "journal"
MIGRATION_MODULES = {  # allauth's tables with sealed columns
    "account": "tollkeeper.accounts.foreign.account.migrations",
    "mfa": "tollkeeper.accounts.foreign.mfa.migrations",
    "usersessions": "tollkeeper.accounts.foreign.usersessions.migrations",
}

CACHES = {
    "default": {
        **(
            {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": ENV.redis_url}
            if ENV.redis_url
            else {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "accounts_cacheentry"}
        ),
        "KEY_FUNCTION": "tollkeeper.kit.cachekeys.blind_key",
    }
}

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = ["tollkeeper.accounts.hashers.Argon2idHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/console/"
LOGOUT_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "tollkeeper.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = None  # the address lives in one table, sealed
ACCOUNT_USER_DISPLAY = "tollkeeper.accounts.queries.shown_to_self"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {"signup": "tollkeeper.accounts.forms.SignUp"}
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 600
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
MFA_ADAPTER = "tollkeeper.accounts.adapter.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not ENV.live

# a sent file is read into memory and sealed: it never lies in a temporary file
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
FILE_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]

STATIC_URL = "/static/"
STATIC_ROOT = ENV.home / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "tollkeeper.web.static_files.HashedFiles"},
}
WHITENOISE_USE_FINDERS = True  # what was not collected is served too, under its plain name

PUBLIC_URL = ENV.public_url
SHOP = ENV.shop
PAYMENT_OPTIONS: dict[str, dict[str, Any]] = {
    "stripe": {"key": ENV.stripe_key, "secrets": ENV.stripe_secrets, "base": ENV.stripe_api},
    "invoice": {"account": ENV.bank_account},
}
"""Name of a provider file → what it needs from outside."""

# the Union's register of VAT numbers; nobody's number is looked up while the money is not real
VIES_API = ENV.vies_api or ("https://ec.europa.eu/taxation_customs/vies/rest-api" if ENV.live else "")


def _shop_says(file: str, section: str, name: str, otherwise: Any) -> Any:
    """One fact of a shop's file; mistakes in it are reported by `shop check`, not here."""
    try:
        return tomllib.loads((ENV.shop / file).read_text())[section][name] or otherwise
    except (OSError, ValueError, KeyError, TypeError):
        return otherwise


SHOP_NAME = str(_shop_says("shop.toml", "brand", "name", ENV.shop.name))
SIGN_UP_AGE = _shop_says("policy.toml", "children", "contract_age", 18)
MAIL_FOLDER = ENV.home / "mail"
DEFAULT_FROM_EMAIL = ENV.mail_from or f"{SHOP_NAME} <no-reply@{urlsplit(ENV.public_url).hostname}>"
SERVER_EMAIL = DEFAULT_FROM_EMAIL
EMAIL_SUBJECT_PREFIX = ""
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = "tollkeeper.kit.mail.FileBackend"
if ENV.smtp_url:  # smtps://user:password@host:465, or smtp://…:587, which insists on STARTTLS
    _smtp = urlsplit(ENV.smtp_url)
    if _smtp.scheme not in ("smtp", "smtps") or not _smtp.hostname:
        raise environment.BadEnvironment("TOLLKEEPER_SMTP must look like smtps://user:password@host:465")
    EMAIL_BACKEND = "tollkeeper.kit.egress_mail.DoorBackend"
    EMAIL_HOST = _smtp.hostname
    EMAIL_PORT = _smtp.port or (465 if _smtp.scheme == "smtps" else 587)
    EMAIL_HOST_USER = unquote(_smtp.username or "")
    EMAIL_HOST_PASSWORD = unquote(_smtp.password or "")
    EMAIL_USE_SSL = _smtp.scheme == "smtps"
    EMAIL_USE_TLS = not EMAIL_USE_SSL

# where the egress door reaches a processor's stand-in instead; nowhere once money is real
EGRESS_STAND_INS: dict[str, frozenset[str]] = {}
if not ENV.live:
    EGRESS_STAND_INS["stripe"] = frozenset({urlsplit(ENV.stripe_api).netloc} - {""})
    EGRESS_STAND_INS["vies"] = frozenset({urlsplit(VIES_API).netloc} - {""})
    for pair in filter(None, ENV.stand_ins.split(",")):
        recipient, _, address = pair.partition("=")
        EGRESS_STAND_INS[recipient] = frozenset({address})
    if ENV.smtp_url:
        EGRESS_STAND_INS["mail"] = frozenset({f"{EMAIL_HOST}:{EMAIL_PORT}"})
    if ENV.mailbox_url.startswith("imap:"):
        _mailbox = urlsplit(ENV.mailbox_url).netloc.rpartition("@")[2]
        EGRESS_STAND_INS["mail"] = EGRESS_STAND_INS.get("mail", frozenset()) | {_mailbox}

# what goes wrong is written scrubbed, into a file of the day and to the terminal
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"scrubbed": {"()": "tollkeeper.kit.log_lines.Scrubbed"}},
    "handlers": {
        "file": {"class": "tollkeeper.kit.log_lines.ErrorFile", "level": "WARNING"},
        "terminal": {"class": "logging.StreamHandler", "level": "WARNING", "formatter": "scrubbed"},
    },
    "loggers": {
        "tollkeeper": {"handlers": ["file", "terminal"], "level": "INFO"},
        "django": {"handlers": ["file", "terminal"], "level": "WARNING"},
        "django.request": {"level": "ERROR"},  # a page that is not there is no error
    },
}

SESSION_ENGINE = "tollkeeper.accounts.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
# names of the policy's register of cookies; a browser binds a __Host- cookie to this host and TLS
SESSION_COOKIE_NAME = "__Host-sessionid" if ENV.live else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if ENV.live else "csrftoken"
CSRF_FAILURE_VIEW = "tollkeeper.web.errors.stale_form"
CSRF_COOKIE_HTTPONLY = False  # htmx sends it as a header
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.live
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# a form of ours ends on the payment provider's own page; nothing else of theirs is ever allowed here
_PAYMENT_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com", "https://invoice.stripe.com")
_STAND_IN = urlsplit(ENV.stripe_api)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "form-action": [
            SELF,
            *([f"{_STAND_IN.scheme}://{_STAND_IN.netloc}"] if _STAND_IN.netloc else _PAYMENT_PAGES),
        ],
        "object-src": [NONE],
    }
}
PERMISSIONS_POLICY: dict[str, list[str]] = {"geolocation": [], "camera": [], "microphone": []}
