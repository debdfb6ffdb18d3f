#!/bin/bash
# Run once by the image, when the data folder is new: the two accounts that PagePulse uses.
# A subshell, because the image sources this file instead of running it where the file is not executable.
(
    set -eu
    quoted() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }

    # The seeder's driver can only do caching_sha2_password over TLS or with a further package; see README.md.
    MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql --protocol=socket --user=root <<SQL
CREATE USER '${SEEDER_USER}'@'%' IDENTIFIED WITH mysql_native_password BY $(quoted "$SEEDER_PASSWORD");
GRANT ALL PRIVILEGES ON \`${MYSQL_DATABASE}\`.* TO '${SEEDER_USER}'@'%';
CREATE USER '${READER_USER}'@'%' IDENTIFIED BY $(quoted "$READER_PASSWORD");
GRANT SELECT ON \`${MYSQL_DATABASE}\`.* TO '${READER_USER}'@'%';
SQL
)
