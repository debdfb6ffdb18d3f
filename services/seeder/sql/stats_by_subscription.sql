SELECT subscription AS name, COUNT(*) AS users FROM {users} WHERE subscription IS NOT NULL GROUP BY subscription ORDER BY users DESC, name
