#!/bin/sh
# FOR TESTS ONLY: an authority whose key lies beside it, and a certificate for a server on this machine.
# make-test-certificates.sh DIRECTORY [NAME...]; the names are localhost and 127.0.0.1 unless given.
set -eu
umask 077
directory=${1:?which directory?}
shift
[ $# -gt 0 ] || set -- localhost 127.0.0.1
mkdir -p "$directory"
cd "$directory"

names=
for name; do
    case $name in *[!0-9.]*) kind=DNS ;; *) kind=IP ;; esac
    names="$names,$kind:$name"
done
new_key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
openssl req -x509 $new_key -days 30 -subj "/CN=shop queue test authority" -keyout ca.key -out ca.crt 2>/dev/null
openssl req $new_key -subj "/CN=$1" -addext "subjectAltName=${names#,}" -keyout server.key -out server.csr 2>/dev/null
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -copy_extensions copy \
    -out server.crt 2>/dev/null
rm -f server.csr ca.srl
