#!/bin/bash
# Run once by the image, when the data folder is new: the two accounts that PagePulse uses.
# A subshell, because the image sources this file instead of running it where the file is not executable.
(
    set -eu
    case " $MYSQL_ROOT_PASSWORD $SEEDER_PASSWORD $READER_PASSWORD " in
        *" change-me "*) echo ".env still holds a change-me: give each password a value of its own (env.sh does)" >&2; exit 1 ;;
    esac
    quoted() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }

    # For the seeder the plug-in that its driver can use without TLS; see README.md.
    MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql --protocol=socket --user=root <<SQL
CREATE USER '${SEEDER_USER}'@'%' IDENTIFIED WITH mysql_native_password BY $(quoted "$SEEDER_PASSWORD");
GRANT ALL PRIVILEGES ON \`${MYSQL_DATABASE}\`.* TO '${SEEDER_USER}'@'%';
CREATE USER '${READER_USER}'@'%' IDENTIFIED BY $(quoted "$READER_PASSWORD");
GRANT SELECT ON \`${MYSQL_DATABASE}\`.* TO '${READER_USER}'@'%';
SQL
)
