# shellcheck shell=dash
# How Valkey holds its clients' writes.

valkey_hold() {
    redis_hold
}
