"""What must hold, as data: event, item and part types, and the clauses of the contract."""
