"""A stand-in for LLM upstreams: OpenAI's and Anthropic's API, deterministic, with fault knobs."""
