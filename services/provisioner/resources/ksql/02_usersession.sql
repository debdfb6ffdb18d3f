-- Logins, keyed by session; event time is the column login_timestamp.
CREATE STREAM usersession (
  session_id VARCHAR KEY,
  user_id INT,
  user_name VARCHAR,
  login_timestamp BIGINT,
  device VARCHAR
) WITH (
  KAFKA_TOPIC='$user_session',
  KEY_FORMAT='KAFKA',
  VALUE_FORMAT='JSON',
  TIMESTAMP='login_timestamp'
);
