-- Views and distinct users by source (bounded, see shared/dimension.py) over overlapping windows.
CREATE TABLE pageview_hopping WITH (KAFKA_TOPIC='$page_view_hopping', PARTITIONS=$partitions, REPLICAS=$replicas) AS
SELECT
  $dimension_source AS source,
  AS_VALUE($dimension_source) AS `source`,
  WINDOWSTART AS `window_start`,
  WINDOWEND AS `window_end`,
  COUNT(*) AS `view_count`,
  COUNT_DISTINCT(user_id) AS `user_count`,
  MAX(ROWTIME) AS `updated_at`
FROM pageview
WINDOW HOPPING (SIZE $hopping_window, ADVANCE BY $hopping_advance, RETENTION $retention, GRACE PERIOD $grace)
GROUP BY $dimension_source
EMIT CHANGES;
