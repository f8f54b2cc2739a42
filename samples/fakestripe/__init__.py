"""A stand-in for Stripe: state, events and a hosted checkout page for the routes we use.

Driven through the official SDK, so that the code under test is the code of production and
only the base address differs. Every request is validated by the SDK's own generated types.
It keeps no personal value: no name, no e-mail, no card number.
"""
