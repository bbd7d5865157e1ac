"""`[notify]`: a program of the operator's is run when a tree ended or a file was rejected."""
