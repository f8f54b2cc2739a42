"""``python -m samples.llm --port P``."""

from samples.llm.app import app
from samples.serve import serve

serve(app, "The LLM stand-in that stands behind the GetToken shop.")
