"""One table of addresses; each face brings its own."""

from django.urls import include, path

urlpatterns = [
    path("hooks/", include("tollkeeper.web.hooks")),
    path("accounts/", include("allauth.urls")),
]
