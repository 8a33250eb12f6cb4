"""Who may ask for what: API keys with names, scopes and rates."""
