"""Rows that are written once: the audit trail with its heads, and the disclosure log.

Words: *entry* (who did what to which object, under pseudonyms), *head* (the signed end of
the chain on a day), *disclosure* (a processor received these fields about somebody, never
the values), *clearance* (the one way past the triggers that forbid change).
"""
