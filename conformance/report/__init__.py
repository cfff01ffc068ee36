"""The reports of a run: each is rendered from the results and the recorded exchanges."""
