#!/bin/sh
# Starts Redis, or Valkey, with the password of its secret: in a file, since anybody can read a command line.
set -eu
umask 077
{
    cat /etc/shop-queue/redis.conf
    printf 'requirepass %s\n' "$(cat /run/secrets/redis-password)"
} >/tmp/redis.conf
exec "$(command -v redis-server || command -v valkey-server)" /tmp/redis.conf
