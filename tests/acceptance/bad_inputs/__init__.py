"""Generated bad inputs: small valid ones, ways to spoil them, the commands that read them, and a server that forks."""
