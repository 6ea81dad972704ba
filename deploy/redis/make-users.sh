#!/bin/sh
# Prints users.acl for Redis (7.0 or later) or Valkey (8 or later): make-users.sh DIRECTORY > users.acl
# Each user's password lies in DIRECTORY/NAME.password; those that are missing are made. The printed file
# holds their SHA-256 only, so that it may go into an image or a ConfigMap.
set -eu
umask 077
directory=${1:?which directory holds the passwords, or shall hold them?}
template=$(dirname "$0")/users.acl.template
mkdir -p "$directory"

substitutions=
for name in $(sed -n 's/.*#@\([a-z-]*\)@.*/\1/p' "$template"); do
    file=$directory/$name.password
    [ -s "$file" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$file"
    hash=$(tr -d '\n' <"$file" | sha256sum | cut -d ' ' -f 1)
    substitutions="$substitutions;s/@$name@/$hash/"
done
sed "${substitutions#;}" "$template"
