"""How the verbs that look write what they found: for people, and as JSON."""
