"""The steps of a run, one file per task of the Dag; each can be repeated after a crash."""
