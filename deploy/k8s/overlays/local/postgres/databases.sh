#!/bin/bash
# Run by the image on the first start, as the superuser: a database and a role for each service, which has no
# other's. Each finds its password in the Secret `postgres`.
set -euo pipefail

for service in gateway order-worker payment-worker inventory-worker notification-worker; do
    psql --quiet --set ON_ERROR_STOP=1 --set role="${service//-/_}" --set password="$(<"/run/secrets/$service")" \
        --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
done
