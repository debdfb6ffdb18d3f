-- updated_at is set here because the server leaves it alone when the new values equal the old ones.
UPDATE {users} SET age = %s, gender = %s, country = %s, subscription = %s, updated_at = CURRENT_TIMESTAMP(3) WHERE user_id = %s
