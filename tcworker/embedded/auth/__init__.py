"""Who may do what: clients, temporary credentials, roles and scopes."""
