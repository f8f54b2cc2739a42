"""Stand-ins for relays that other people run: LiteLLM, New API, One API, OpenRouter, with their traps.

Each keeps keys, lets them be used for chat, counts what they spend, and can be told to
break at any step. They follow the documented and observed behaviour of the real ones,
also where it is awkward: that is what they are for.
"""
