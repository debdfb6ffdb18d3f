SELECT
  COUNT(*) AS users,
  COALESCE(SUM(age IS NULL OR gender IS NULL OR country IS NULL OR subscription IS NULL), 0) AS with_nulls,
  COALESCE(SUM(age IS NULL), 0) AS null_age,
  COALESCE(SUM(gender IS NULL), 0) AS null_gender,
  COALESCE(SUM(country IS NULL), 0) AS null_country,
  COALESCE(SUM(subscription IS NULL), 0) AS null_subscription,
  MIN(age) AS min_age,
  MAX(age) AS max_age,
  AVG(age) AS mean_age
FROM {users}
