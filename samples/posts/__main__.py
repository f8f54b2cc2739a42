"""``python -m samples.posts --port P``."""

from samples.posts.app import app
from samples.posts.data import load
from samples.serve import serve

load()
serve(app, "The posts API that stands behind the TwtAPI shop.")
