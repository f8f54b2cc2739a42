"""``python -m tollkeeper``: the same command as ``tollkeeper``."""

from tollkeeper.cli.main import main

main()
