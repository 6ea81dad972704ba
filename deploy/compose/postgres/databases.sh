#!/bin/bash
# A database and a role for each service, as its secret `<service>-database-url` names them; no role reaches
# the database of another. PostgreSQL runs this when its volume is new. Run again, it adds what is missing and
# sets the passwords to what the secrets say:
#   docker compose exec --user postgres postgres /docker-entrypoint-initdb.d/databases.sh
set -euo pipefail

ask() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres "$@"
}

for secret in /run/secrets/*-database-url; do
    url=$(<"$secret")
    login=${url#*://} && login=${login%@*}
    # A password stands in no command line, which anybody can read, but in this program's own input.
    ask --set role="${login%%:*}" --set database="${url##*/}" <<SQL
\set password '${login#*:}'
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" LOGIN PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
SQL
done
