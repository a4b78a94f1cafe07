# shellcheck shell=dash
# Valkey on the guest: it came from Redis, and is asked by the same words.

valkey_find() {
    redis_find
}

valkey_flush() {
    redis_flush
}

valkey_tell_position() {
    redis_tell_position
}

valkey_remember() {
    redis_remember
}

valkey_is_serving() {
    redis_is_serving
}

valkey_is_down() {
    redis_is_down
}
