"""The exercises of the course: what one is, and the table of them, by notebooks."""
