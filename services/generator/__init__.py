"""The generator: lifelike sessions and page views into Kafka, at a rate that can be steered while it runs."""
