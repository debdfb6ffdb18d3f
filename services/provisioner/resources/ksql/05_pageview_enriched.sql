-- Page views of known clean users, with the user's age and country; keyed by user.
-- A stream of its own, because WINDOWSTART cannot be projected from an aggregation directly over a join.
CREATE STREAM pageview_enriched WITH (KAFKA_TOPIC='$page_view_enriched', PARTITIONS=$partitions, REPLICAS=$replicas) AS
SELECT
  p.user_id AS user_id,
  p.source AS source,
  u.`age` AS age,
  u.`country` AS country
FROM pageview p
JOIN cleaned_users u ON p.user_id = u.user_id
EMIT CHANGES;
