"""Write the HTML pages of a session, of a run and of a tuning."""
