"""The web process's entry."""

import os

from django.core.wsgi import get_wsgi_application

from tollkeeper.kit import egress_guard, purposes
from tollkeeper.privacy import checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tollkeeper.config.settings")
application = get_wsgi_application()
checks.require()  # an undeclared column refuses the boot
egress_guard.guard_process()  # and nothing leaves but through the door
purposes.guard_process()  # nor is a person's data read without saying what for
