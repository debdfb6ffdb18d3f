"""ksqlDB's REST API: requests and answers as the real server words them. No Kafka, no engine in here."""
