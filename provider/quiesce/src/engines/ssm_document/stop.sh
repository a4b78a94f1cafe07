# shellcheck shell=dash
# Stopping the service, as for every application.

ssm_document_remember() { app_remember; }
ssm_document_is_serving() { app_is_serving; }
ssm_document_is_down() { app_is_down; }
