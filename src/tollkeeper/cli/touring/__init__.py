"""A stranger with a browser, a mailbox and a key: what the tour is played with.

Nothing of the product is imported below this folder: the stranger knows HTTP,
HTML and e-mail, and the address file that ``up`` writes.
"""
