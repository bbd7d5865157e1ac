"""The built-in executors; they come in through the same door as everybody's."""
