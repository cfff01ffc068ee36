"""The results of a run as typed records, and what is made of them."""
