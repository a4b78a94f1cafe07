# shellcheck shell=dash
# Stopping the service, as for every application.

custom_remember() { app_remember; }
custom_is_serving() { app_is_serving; }
custom_is_down() { app_is_down; }
