-- Users without a NULL in any column; a user that stops qualifying is removed by a tombstone.
-- The country is bounded (see shared/dimension.py), because it is what topic5 counts by.
CREATE TABLE cleaned_users WITH (KAFKA_TOPIC='$cleaned_users', PARTITIONS=$partitions, REPLICAS=$replicas) AS
SELECT
  user_id,
  age AS `age`,
  gender AS `gender`,
  $dimension_country AS `country`,
  subscription AS `subscription`
FROM users
WHERE age IS NOT NULL AND gender IS NOT NULL AND country IS NOT NULL AND subscription IS NOT NULL
EMIT CHANGES;
