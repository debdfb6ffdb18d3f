SELECT subscription AS name, COUNT(*) AS users, AVG(age) AS average_age
FROM {users}
WHERE subscription IS NOT NULL
GROUP BY subscription
ORDER BY users DESC, name
