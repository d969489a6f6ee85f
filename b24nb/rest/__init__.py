"""The HTTP client of one portal: a request is sent and measured, its answer parsed and recorded."""
