"""The control socket: how a running daemon is asked and told (docs/reference/control.md)."""
