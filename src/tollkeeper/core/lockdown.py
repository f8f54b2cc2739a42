"""After a restore nothing serves until the erasures made since the backup are carried out again."""

FILE = "restore.lock"
"""Its name below the home; while it exists web, worker and gate refuse to serve."""
SENTENCE = (
    "a backup was restored and the erasures made since are not carried out yet;"
    " run `tollkeeper restore --replay`"
)
