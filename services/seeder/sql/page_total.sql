SELECT COUNT(*) AS users
FROM {users}
WHERE (%(country)s IS NULL OR country = %(country)s)
  AND (%(subscription)s IS NULL OR subscription = %(subscription)s)
  AND (%(gender)s IS NULL OR gender = %(gender)s)
  AND (%(complete)s IS NULL
    OR (age IS NOT NULL AND gender IS NOT NULL AND country IS NOT NULL AND subscription IS NOT NULL) = %(complete)s)
