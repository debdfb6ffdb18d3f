SELECT user_id, age, gender, country, subscription, updated_at
FROM {users}
WHERE user_id > %(after)s
  AND (%(country)s IS NULL OR country = %(country)s)
  AND (%(subscription)s IS NULL OR subscription = %(subscription)s)
  AND (%(gender)s IS NULL OR gender = %(gender)s)
  AND (%(complete)s IS NULL
    OR (age IS NOT NULL AND gender IS NOT NULL AND country IS NOT NULL AND subscription IS NOT NULL) = %(complete)s)
ORDER BY user_id
LIMIT %(limit)s
