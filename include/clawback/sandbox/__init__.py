"""impact.com's Brand API, offline: a real HTTP server that keeps the documented rules."""
