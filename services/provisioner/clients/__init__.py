"""One client per server. Each checks every answer, gives up at a deadline, and tells failures in ``errors``' words."""
