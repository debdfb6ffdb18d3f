-- Page views, keyed by session; event time is the column event_timestamp.
CREATE STREAM pageview (
  session_id VARCHAR KEY,
  user_id INT,
  source VARCHAR,
  event_timestamp BIGINT
) WITH (
  KAFKA_TOPIC='$page_view',
  KEY_FORMAT='KAFKA',
  VALUE_FORMAT='JSON',
  TIMESTAMP='event_timestamp'
);
