"""Connections: protocol classes, the pool, and the tick that ties them to the journal."""
