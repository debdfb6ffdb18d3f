-- Page views, keyed by session; event time is the column event_timestamp. A view may have no page.
CREATE STREAM pageview (
  session_id VARCHAR KEY,
  user_id INT,
  source VARCHAR,
  event_timestamp BIGINT,
  page VARCHAR
) WITH (
  KAFKA_TOPIC='$page_view',
  KEY_FORMAT='KAFKA',
  VALUE_FORMAT='JSON',
  TIMESTAMP='event_timestamp'
);
