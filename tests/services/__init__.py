"""Real servers for the tests, from wheels: no container, no root, nothing installed by hand."""
