-- Views and distinct users by page (bounded, see shared/dimension.py) and window; views without a page are left out.
CREATE TABLE pageview_page WITH (KAFKA_TOPIC='$page_view_page', PARTITIONS=$partitions, REPLICAS=$replicas) AS
SELECT
  $dimension_page AS page,
  AS_VALUE($dimension_page) AS `page`,
  WINDOWSTART AS `window_start`,
  WINDOWEND AS `window_end`,
  COUNT(*) AS `view_count`,
  COUNT_DISTINCT(user_id) AS `user_count`,
  MAX(ROWTIME) AS `updated_at`
FROM pageview
WINDOW TUMBLING (SIZE $page_window, RETENTION $retention, GRACE PERIOD $grace)
GROUP BY $dimension_page
EMIT CHANGES;
