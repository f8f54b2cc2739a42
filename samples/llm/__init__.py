"""A stand-in for LLM upstreams: it speaks OpenAI's and Anthropic's API, deterministically, with fault knobs."""
