#!/bin/sh
# Whether Redis, or Valkey, answers and has read what it keeps on disk.
set -eu
REDISCLI_AUTH=$(cat /run/secrets/redis-password)
VALKEYCLI_AUTH=$REDISCLI_AUTH
export REDISCLI_AUTH VALKEYCLI_AUTH
[ "$("$(command -v redis-cli || command -v valkey-cli)" ping)" = PONG ]
