"""Settings: reads them, explains mistakes in them, and tells two configurations apart."""
