-- Rows, not TRUNCATE: change capture sees row events only.
DELETE FROM {users} ORDER BY user_id LIMIT %s
