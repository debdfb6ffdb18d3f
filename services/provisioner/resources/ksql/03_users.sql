-- Users, keyed by a 4-byte big-endian integer; event time is the record timestamp.
CREATE TABLE users (
  user_id INT PRIMARY KEY,
  age INT,
  gender VARCHAR,
  country VARCHAR,
  subscription VARCHAR
) WITH (
  KAFKA_TOPIC='$users',
  KEY_FORMAT='KAFKA',
  VALUE_FORMAT='JSON'
);
