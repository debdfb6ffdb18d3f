-- As bytes, see stats_by_country.
SELECT MIN(subscription) AS name, COUNT(*) AS users, AVG(age) AS average_age
FROM {users}
WHERE subscription IS NOT NULL
GROUP BY CAST(subscription AS BINARY)
ORDER BY users DESC, CAST(subscription AS BINARY)
