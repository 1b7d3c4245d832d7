"""The way out: the one HTTP client every connector is handed, and where its secrets come from."""
