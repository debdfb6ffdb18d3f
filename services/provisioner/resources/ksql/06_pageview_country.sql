-- Views, distinct users and average age (over views) by country and window.
CREATE TABLE pageview_country WITH (KAFKA_TOPIC='$page_view_country', PARTITIONS=$partitions, REPLICAS=$replicas) AS
SELECT
  country,
  AS_VALUE(country) AS `country`,
  WINDOWSTART AS `window_start`,
  WINDOWEND AS `window_end`,
  COUNT(*) AS `view_count`,
  COUNT_DISTINCT(user_id) AS `user_count`,
  AVG(age) AS `average_age`,
  MAX(ROWTIME) AS `updated_at`
FROM pageview_enriched
WINDOW TUMBLING (SIZE $country_window, RETENTION $retention, GRACE PERIOD $grace)
GROUP BY country
EMIT CHANGES;
