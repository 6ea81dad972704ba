"""The local start: embedded Valkey and every service, supervised; the queue command."""
