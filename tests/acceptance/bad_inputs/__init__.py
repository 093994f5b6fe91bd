"""Generated bad inputs: small valid ones, mutations of them by kind, the commands that read them, and a server that forks."""
