"""An API of posts and people over an invented data set: the upstream of the TwtAPI shop."""
