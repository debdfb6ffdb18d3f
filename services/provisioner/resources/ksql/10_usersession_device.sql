-- Logins and distinct users by device (bounded, see shared/dimension.py) and window.
CREATE TABLE usersession_device WITH (KAFKA_TOPIC='$user_session_device', PARTITIONS=$partitions, REPLICAS=$replicas) AS
SELECT
  $dimension_device AS device,
  AS_VALUE($dimension_device) AS `device`,
  WINDOWSTART AS `window_start`,
  WINDOWEND AS `window_end`,
  COUNT(*) AS `session_count`,
  COUNT_DISTINCT(user_id) AS `user_count`,
  MAX(ROWTIME) AS `updated_at`
FROM usersession
WINDOW TUMBLING (SIZE $device_window, RETENTION $retention, GRACE PERIOD $grace)
GROUP BY $dimension_device
EMIT CHANGES;
