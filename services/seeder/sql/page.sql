-- Texts are compared as bytes, see stats_by_country.
SELECT user_id, age, gender, country, subscription, updated_at
FROM {users}
WHERE user_id > %(after)s
  AND (%(country)s IS NULL OR CAST(country AS BINARY) = CAST(%(country)s AS BINARY))
  AND (%(subscription)s IS NULL OR CAST(subscription AS BINARY) = CAST(%(subscription)s AS BINARY))
  AND (%(gender)s IS NULL OR CAST(gender AS BINARY) = CAST(%(gender)s AS BINARY))
  AND (%(complete)s IS NULL
    OR (age IS NOT NULL AND gender IS NOT NULL AND country IS NOT NULL AND subscription IS NOT NULL) = %(complete)s)
ORDER BY user_id
LIMIT %(limit)s
