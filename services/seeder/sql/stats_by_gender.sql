SELECT gender AS name, COUNT(*) AS users FROM {users} WHERE gender IS NOT NULL GROUP BY gender ORDER BY users DESC, name
