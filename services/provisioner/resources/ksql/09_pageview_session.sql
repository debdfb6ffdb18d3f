-- Views and distinct users by source (bounded, see shared/dimension.py) and burst of traffic: a session ends after a pause of more than the gap.
CREATE TABLE pageview_session WITH (KAFKA_TOPIC='$page_view_session', PARTITIONS=$partitions, REPLICAS=$replicas) AS
SELECT
  $dimension_source AS source,
  AS_VALUE($dimension_source) AS `source`,
  WINDOWSTART AS `window_start`,
  WINDOWEND AS `window_end`,
  COUNT(*) AS `view_count`,
  COUNT_DISTINCT(user_id) AS `user_count`,
  MAX(ROWTIME) AS `updated_at`
FROM pageview
WINDOW SESSION ($session_gap, RETENTION $retention, GRACE PERIOD $grace)
GROUP BY $dimension_source
EMIT CHANGES;
