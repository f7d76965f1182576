#!/bin/sh
# usage: postgres.sh DIRECTORY PORT: serve a PostgreSQL out of a directory, which is made when it is not there.
set -eu
data=$1/db port=$2
for bin in /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/bin /usr/bin; do
	[ -x "$bin/initdb" ] && PATH=$bin:$PATH
done
command -v initdb >/dev/null || { echo "PostgreSQL is not installed: apt-get install postgresql"; exit 1; }
as=
if [ "$(id -u)" = 0 ]; then # it refuses to run as root
	chown postgres "$1"
	as="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi
[ -s "$data/PG_VERSION" ] || {
	rm -rf "$data"
	$as initdb -D "$data" -U shop -A trust --no-sync -E UTF8 --locale C >/dev/null
}
exec $as postgres -D "$data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off
