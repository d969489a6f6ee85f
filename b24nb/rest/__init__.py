"""One conversation with a portal: a request is sent, measured, understood and recorded."""
