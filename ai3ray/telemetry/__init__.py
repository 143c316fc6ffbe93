"""What the journal's rows tell about models, providers and verifiers; `views.sql` is created in every journal."""
