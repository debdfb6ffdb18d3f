"""What the services share: settings, errors, logging, health, HTTP and Kafka helpers, event schemas. Imports no service."""
