"""The application behind ksqlDB's REST API: requests are checked, carried out by ``runtime``, answered as the real server words it."""
