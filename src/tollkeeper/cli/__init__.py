"""The command line: one thin file per command.

Commands import Django only inside their function, so that ``--help`` stays quick.
A command refuses with one sentence (:class:`tollkeeper.core.refusal.Refused`) and a
non-zero exit code; nobody ever sees a traceback.
"""
