#!/bin/sh
# Fetches the Valkey server that the guest tests run, kept in .cache/valkey: from the backports of the Debian release that this machine is,
# by its own mirror and keys, without touching its list of packages.
set -eu

cache=$(cd "$(dirname "$0")/../../../.." && pwd)/.cache
[ ! -x "$cache/valkey/usr/bin/valkey-server" ] || exit 0
mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2016 # apt-get's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1)
# shellcheck disable=SC1091 # the system's own
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
echo "deb $mirror $release-backports main" >"$work/sources.list"
mkdir -p "$work/lists/partial" "$work/archives/partial"

apt() {
    apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache::archives=$work/archives" -o APT::Sandbox::User=root "$@"
}

apt update >&2
(cd "$work" && apt download valkey-server valkey-tools >&2)
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/valkey"
done
chmod -R a+rX "$work/valkey"
mv "$work/valkey" "$cache/valkey"
