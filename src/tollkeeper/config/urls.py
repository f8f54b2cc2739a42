"""One table of addresses; each face brings its own."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.urls")),
]
