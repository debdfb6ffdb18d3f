"""One client per server. Each checks every response, has a deadline, and raises the errors of ``errors``."""
