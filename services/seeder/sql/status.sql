SELECT
  COUNT(*) AS users,
  COALESCE(SUM(age IS NULL OR gender IS NULL OR country IS NULL OR subscription IS NULL), 0) AS with_nulls,
  MAX(updated_at) AS newest_update
FROM {users}
