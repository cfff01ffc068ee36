"""The contract as data: clauses, rules, schemas, event, item and part types, and the needs of clients."""
