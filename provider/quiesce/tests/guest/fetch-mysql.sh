#!/bin/sh
# Makes the MySQL server that the guest tests run, newer than Debian 12's C library: programs, libraries and loader from Debian's unstable release,
# the programs pointed at their own loader, so that they run like any other program of the guest. Kept in the cache that it is given.
set -eu

# unpacked is Debian's own file system; servers run as users that have to be able to read it.
cache=$1
umask 022
[ ! -x "$cache/bin/mysqld" ] || exit 0
mkdir -p "$(dirname "$cache")"
building=$(mktemp -d "$cache.XXXXXX")
trap 'rm -rf "$building"' EXIT
chmod 755 "$building"
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Codename: bookworm' | head -1)
# Its release file counts as expired where a mirror stands still.
mmdebstrap --quiet --aptopt='Acquire::Check-Valid-Until "false"' --variant=extract --include=mysql-server-core,mysql-client-core \
    --dpkgopt=path-exclude=/usr/share/doc/* sid "$building" "$mirror" >&2
mkdir "$building/bin"
for program in sbin/mysqld bin/mysql bin/mysqlcheck; do
    name=${program##*/}
    cp "$building/usr/$program" "$building/bin/$name"
    patchelf --set-interpreter "$cache/usr/lib64/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$cache/usr/lib/x86_64-linux-gnu" "$building/bin/$name"
done
mv "$building" "$cache"
